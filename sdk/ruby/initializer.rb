# frozen_string_literal: true

# config/initializers/lectern.rb
Rails.application.configure do
  # Where lectures are served. Unset: LECTERN_EDGE of the environment.
  config.lectern.edge = ENV.fetch("LECTERN_EDGE", "http://localhost:8787")
  # The text that the edge has as LECTERN_KEYS. Unset: LECTERN_KEYS of the environment.
  config.lectern.keys = credentials.lectern_keys
  # MAX_LINK_AGE and MAX_WATCH of the edge, where it has others than 2592000 and 86400.
  # config.lectern.max_link_age = 7.days.to_i
  # config.lectern.max_watch = 6.hours.to_i
end
