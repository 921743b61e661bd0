# frozen_string_literal: true

require "ipaddr"

module Lectern
  # Rules for the claims and times of a link, which the edge has too.
  module Claims
    # Extensions of objects that are not playlists.
    MEDIA = %w[m4s mp4 cmfv m4v m4a cmfa ts aac mp3 webm mov mkv vtt mpd json jpg jpeg png webp
               avif gif].freeze

    class << self
      # Claims in the order of a token, each as the edge writes it.
      def check(claims)
        claims = { "path" => nil, "exp" => nil }.merge(claims)
        RULES.each_with_object({}) do |(name, (read, rule)), checked|
          next unless claims.key?(name)

          value = read.call(claims[name])
          raise Error.new("bad_#{name}", "`#{name}` #{rule}") if value.nil?

          # `strict: false` is the default.
          checked[name] = value unless value == false
        end.tap do |checked|
          check_sessions(checked)
          check_offline(checked)
          check_bounds(checked)
        end
      end

      # Refuses a count of players without a viewer, and a policy without a count.
      def check_sessions(claims)
        if claims.key?("sessions") && !claims.key?("sub")
          raise Error.new("bad_sessions", "`sessions` needs `sub` (viewer)")
        end
        return unless claims.key?("sessions_policy") && !claims.key?("sessions")

        raise Error.new("bad_sessions_policy", "`sessions_policy` needs `sessions`")
      end

      # Refuses a copy on a device for a link whose players ask the edge.
      def check_offline(claims)
        return unless claims.key?("offline")
        return unless claims.key?("sessions") || claims.key?("strict")

        raise Error.new("bad_offline", "`offline` excludes `sessions` and `strict`")
      end

      # Refuses bounds of uploads for another use, and a count without the id that it is kept under.
      def check_bounds(claims)
        (claims.keys & %w[max_bytes max_objects types]).each do |name|
          if claims["use"] != "upload"
            raise Error.new("bad_#{name}", "`#{name}` needs an upload link")
          end
          next if name == "types" || claims.key?("jti")

          raise Error.new("bad_#{name}", "`#{name}` needs `jti`, under which the edge counts")
        end
      end

      # Refuses claims that are well-formed and open nothing.
      def check_target(claims)
        path = claims["path"]
        reserved = path.start_with?("/_lectern/") && claims["use"] != "admin"
        raise Urls.bad_path("path_reserved") if reserved || path.start_with?("/~")
        raise Urls.bad_path("path_too_deep") if path.count("/") > 256
        return if claims["use"] == "upload"
        return if claims.values_at("max_height", "preview", "langs").none?
        return unless MEDIA.include?(path[/\.([A-Za-z0-9]+)\z/, 1]&.downcase)

        raise Error.new("path_not_a_playlist", "max_height, preview and langs need a playlist: " \
                                               "link to the `.m3u8`, or to its folder")
      end

      def check_expiry(exp, now, max_link_age)
        raise Error.new("expired", "the link expired at #{exp}; the time is #{now}") if exp < now
        return if exp - now <= max_link_age

        raise Error.new("exp_too_far", "the link expires more than #{max_link_age} seconds from " \
                                       "now (MAX_LINK_AGE)")
      end

      # Seconds since 1970 of a Time or DateTime; any other value as it is.
      def read_instant(value)
        value = value.to_time if defined?(DateTime) && value.is_a?(DateTime)
        value.is_a?(Time) ? value.to_i : value
      end

      # Current time in seconds since 1970, unless another time is given.
      def read_now(given)
        given = read_instant(given.nil? ? Time.now : given)
        given = given.floor if given.is_a?(Float) && given.finite?
        SECONDS.call(given) or
          raise Error.new("bad_option", "`now` must be seconds since 1970, a Time or a DateTime")
      end

      # Option of the edge, in seconds.
      def read_bound(name, value)
        SECONDS.call(value) or
          raise Error.new("bad_option", "`#{name}` must be a whole number of seconds")
      end

      private

      def whole(range)
        ->(value) { value.to_i if value.is_a?(Integer) && range.cover?(value.to_i) }
      end

      # Reads a text whose bytes match.
      def matching(form)
        ->(value) { (value = Urls.utf8(value)) && value.b.match?(form) ? value : nil }
      end

      def list(read)
        lambda do |value|
          entries = value.map(&read) if value.is_a?(Array) && value.size.between?(1, 32)
          entries if entries&.all?
        end
      end

      def read_watermark(value)
        value = Urls.utf8(value)
        value if value&.length&.between?(1, 100)
      end

      def read_preview(value)
        from, to = value.map(&whole(0..2**32 - 1)) if value.is_a?(Array) && value.size == 2
        [from, to] if from && to && from < to
      end

      def read_origin(value)
        form = %r{\A([a-z0-9.:\[\]+-]+)://(?:\*(?=\.))?([a-z0-9.:\[\]+-]+)\z}
        scheme, host = Urls.utf8(value)&.b&.downcase&.match(form)&.captures
        "#{scheme}://#{"*" if host.start_with?(".")}#{host}".encode("UTF-8") if host
      end

      # A range (RFC 4632, RFC 4291) in its shortest form. Refuses bits after the prefix, and IPv4
      # written as IPv6.
      def read_cidr(value)
        base, length = Urls.utf8(value)&.match(%r{\A([\h:.]+)(?:/([0-9]+))?\z})&.captures
        return unless base

        # IPAddr refuses some addresses of IPv6 that end in one of IPv4.
        base = base.sub(/(?<=:)[^:]*\..*\z/) do |ipv4|
          format("%x:%x", *IPAddr.new(ipv4).to_i.divmod(0x10000))
        end
        address = IPAddr.new(base)
        bits = address.ipv4? ? 32 : 128
        length = (length || bits).to_i
        return if address.ipv4_mapped? || length > bits || address.mask(length) != address

        "#{address.ipv4? ? address : shorten(address)}/#{length}"
      rescue IPAddr::Error
        nil
      end

      # RFC 5952: omits the first of the longest runs of zeros.
      def shorten(address)
        groups = address.to_string.split(":").map { |group| group.hex.to_s(16) }.join(":")
        zeros = groups.scan(/\b0(?::0)+\b/).max_by(&:length)
        zeros ? groups.sub(/(\A|:)#{zeros}(:|\z)/, "::") : groups
      end
    end

    SECONDS = whole(0..2**53 - 1)
    # Claims in the order of a token: how to read each, and its rule.
    RULES = {
      "path" => [Urls.method(:check_path)],
      "exp" => [SECONDS, "(expires_in, expires_at) must be a whole number of seconds"],
      "nbf" => [SECONDS, "(not_before) must be a whole number of seconds since 1970"],
      "iat" => [SECONDS, "must be a whole number of seconds since 1970"],
      "use" => [matching(/\A(?:play|download|upload|admin)\z/),
                "must be \"play\", \"download\", \"upload\" or \"admin\""],
      "sub" => [matching(/\A.{1,256}\z/mn), "(viewer) must be a text of 1 to 256 bytes"],
      "jti" => [matching(/\A.{1,256}\z/mn), "must be a text of 1 to 256 bytes"],
      "watermark" => [method(:read_watermark), "must be a text of 1 to 100 characters"],
      "watch" => [whole(1..2**53 - 1), "must be a whole number of seconds, at least 1"],
      "max_height" => [whole(1..2**32 - 1), "must be a whole number of lines, at least 1"],
      "preview" => [method(:read_preview),
                    "must be [from, to] in whole seconds, with from before to"],
      "langs" => [list(matching(/\A[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*\z/)),
                  "must be a list of 1 to 32 BCP 47 tags such as \"en\" or \"pt-BR\""],
      "ip" => [list(method(:read_cidr)), "must be a list of 1 to 32 ranges such as " \
                                         "\"192.0.2.0/24\", without bits after the prefix"],
      "country" => [list(->(code) { matching(/\A[A-Za-z][A-Za-z0-9]\z/).call(code)&.upcase }),
                    "must be a list of 1 to 32 ISO 3166 codes such as \"DE\""],
      "origin" => [list(method(:read_origin)), "must be a list of 1 to 32 origins such as " \
                                               "\"https://*.school.example\""],
      "sessions" => [whole(1..255), "must be a whole number from 1 to 255"],
      "sessions_policy" => [matching(/\A(?:newest|oldest)\z/), "must be \"newest\" or \"oldest\""],
      "strict" => [->(value) { value if [true, false].include?(value) }, "must be true or false"],
      "offline" => [whole(1..30 * 24 * 3600),
                    "must be a whole number of seconds from 1 to 2592000"],
      "max_bytes" => [whole(1..2**53 - 1), "must be a whole number of bytes, at least 1"],
      "max_objects" => [whole(1..100_000), "must be a whole number from 1 to 100000"],
      "types" => [list(matching(/\A(?:video|audio|image|captions|hls)\z/)),
                  "must be a list of \"video\", \"audio\", \"image\", \"captions\" and \"hls\""]
    }.freeze
    NAMES = RULES.keys.freeze
  end
  private_constant :Claims
end
