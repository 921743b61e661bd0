# frozen_string_literal: true

require "lectern"

module Lectern
  # For views and controllers:
  #
  #   <video controls src="<%= lectern_url "/courses/rails/intro/master.m3u8", viewer: current_user.to_gid_param, expires_in: 6.hours %>">
  #
  # `config.lectern.edge` is the edge's address, LECTERN_EDGE in the environment where it is not set.
  module Helper
    # A link to a path of the edge, or to a whole URL. Options as for Lectern.link.
    def lectern_url(path, **options)
      Lectern.link(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end

    # An upload link to a folder of the edge.
    def lectern_upload_url(path, **options)
      Lectern.upload_link(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end
  end

  # What `config.lectern` says: edge, keys, max_link_age, max_watch.
  module Rails
    class << self
      attr_writer :config

      def config = @config ||= {}

      def url(path)
        return path unless path.start_with?("/")

        edge = config[:edge] || ENV["LECTERN_EDGE"]
        edge or raise Error.new("no_edge", "no edge is named: set config.lectern.edge in config/initializers/lectern.rb, or LECTERN_EDGE")
        edge.chomp("/") + path
      end

      def bounds
        config.to_h.slice(:keys, :max_link_age, :max_watch).compact
      end
    end
  end

  if defined?(::Rails::Railtie)
    # Gives helpers to views and controllers, and refuses to boot with keys that mint nothing.
    class Railtie < ::Rails::Railtie
      config.lectern = ActiveSupport::OrderedOptions.new

      initializer "lectern.helpers" do
        ActiveSupport.on_load(:action_view) { include Lectern::Helper }
        ActiveSupport.on_load(:action_controller) { include Lectern::Helper }
      end

      config.after_initialize do |app|
        Lectern::Rails.config = app.config.lectern
        # Not `.keys`, which of a Hash is something else.
        keys = app.config.lectern[:keys] || ENV["LECTERN_KEYS"]
        # Tasks such as assets:precompile run where no secrets are.
        Lectern.key_ids(keys) if keys
      end
    end
  end
end
