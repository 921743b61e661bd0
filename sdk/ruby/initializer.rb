# frozen_string_literal: true

# config/initializers/lectern.rb
Rails.application.configure do
  # Address of the edge. Defaults to LECTERN_EDGE of the environment.
  config.lectern.edge = ENV.fetch("LECTERN_EDGE", "http://localhost:8787")
  # The edge's LECTERN_KEYS. Defaults to LECTERN_KEYS of the environment.
  config.lectern.keys = credentials.lectern_keys
  # The edge's MAX_LINK_AGE and MAX_WATCH, if they are not 2592000 and 86400.
  # config.lectern.max_link_age = 7.days.to_i
  # config.lectern.max_watch = 6.hours.to_i
end
