# frozen_string_literal: true

require "lectern"

module Lectern
  # Helpers for views and controllers.
  #
  #   <video controls src="<%= lectern_url "/courses/rails/intro/master.m3u8", viewer: viewer %>">
  #
  # `config.lectern.edge` is the address of the edge. It defaults to LECTERN_EDGE of the
  # environment.
  module Helper
    # Returns a link to a path of the edge, or to a URL. Takes the options of Lectern.link.
    def lectern_url(path, **options)
      Lectern.link(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end

    # Returns the address of the player page. Takes the options of Lectern.embed_url.
    #
    #   <iframe src="<%= lectern_embed_url "/courses/rails/intro/", viewer: viewer %>" title="Intro"
    #           style="border:0;width:100%;aspect-ratio:16/9"
    #           allow="autoplay; fullscreen; picture-in-picture"></iframe>
    def lectern_embed_url(path, **options)
      Lectern.embed_url(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end

    # Returns a link to a lecture's poster. Takes the options of Lectern.poster_url.
    def lectern_poster_url(path, **options)
      Lectern.poster_url(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end

    # Returns a link to a lecture's download. Takes the options of Lectern.download_url.
    def lectern_download_url(path, **options)
      Lectern.download_url(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end

    # Returns an upload link to a folder of the edge. Takes the options of Lectern.upload_link.
    def lectern_upload_url(path, **options)
      Lectern.upload_link(Lectern::Rails.url(path), **Lectern::Rails.bounds, **options)
    end
  end

  # Settings of `config.lectern`: edge, keys, max_link_age, max_watch.
  module Rails
    class << self
      attr_writer :config

      def config = @config ||= {}

      def url(path)
        return path unless path.start_with?("/")

        edge = config[:edge] || ENV["LECTERN_EDGE"]
        unless edge
          raise Error.new("no_edge", "no edge is set: set config.lectern.edge in " \
                                     "config/initializers/lectern.rb, or LECTERN_EDGE")
        end
        edge.chomp("/") + path
      end

      def bounds
        config.to_h.slice(:keys, :max_link_age, :max_watch).compact
      end
    end
  end

  if defined?(::Rails::Railtie)
    # Adds the helpers to views and controllers. Stops the boot if the keys are wrong.
    class Railtie < ::Rails::Railtie
      config.lectern = ActiveSupport::OrderedOptions.new

      initializer "lectern.helpers" do
        ActiveSupport.on_load(:action_view) { include Lectern::Helper }
        ActiveSupport.on_load(:action_controller) { include Lectern::Helper }
      end

      config.after_initialize do |app|
        Lectern::Rails.config = app.config.lectern
        # `config.lectern.keys` would call Hash#keys.
        keys = app.config.lectern[:keys] || ENV["LECTERN_KEYS"]
        # Tasks such as assets:precompile run without secrets.
        Lectern.key_ids(keys) if keys
      end
    end
  end
end
