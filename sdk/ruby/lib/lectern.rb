# frozen_string_literal: true

# Mints links to lectures behind a Lectern edge. Needs the standard library only.
#
#   Lectern.link("https://video.school.example/courses/rails/intro/master.m3u8", viewer: "s42")
#   # => "https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…"
#
# A player plays the link. An <iframe> of Lectern.embed_url shows the player page.
#
# `keys:` takes the edge's LECTERN_KEYS. It defaults to LECTERN_KEYS of the environment. The first
# key signs. Durations are whole seconds. Instants are seconds since 1970, a Time or a DateTime.
# A link that the edge would refuse to every viewer raises Lectern::Error.
#
# `require "lectern/verify"` adds Lectern.verify for tests.
module Lectern
  VERSION = "0.1.0"
  # Defaults of the edge's variables with the same names, in seconds.
  MAX_LINK_AGE = 30 * 86_400
  MAX_WATCH = 86_400
  # Lifetime of a link without `expires_in` and `expires_at`, in seconds.
  EXPIRES_IN = 6 * 3600
  MAX_LINK_BYTES = 4096
  # The edge opens no single object with these options.
  RESTRICTIONS = %i[max_height preview langs].freeze
  private_constant :RESTRICTIONS

  # Refusal of a link. `code` is stable, and the same in every language.
  class Error < StandardError
    attr_reader :code

    def initialize(code, message)
      @code = code
      super(message)
    end
  end
end

require_relative "lectern/urls"
require_relative "lectern/claims"
require_relative "lectern/keys"

module Lectern
  class << self
    # Returns the URL with `?token=…` in its query, in place of an older token.
    #
    # A URL that ends in a slash opens its folder. `directory: true` opens the folder of the
    # object. `watch`, `max_height`, `preview`, `langs`, `ip`, `country`, `origin`, `jti`,
    # `watermark`, `sessions`, `sessions_policy`, `strict`, `offline`, `max_bytes`, `max_objects`
    # and `types` set the claims of the same names.
    def link(url, viewer: nil, expires_in: nil, expires_at: nil, not_before: nil, watch: nil,
             max_height: nil, preview: nil, langs: nil, ip: nil, country: nil, origin: nil,
             jti: nil, watermark: nil, sessions: nil, sessions_policy: nil, strict: nil,
             offline: nil, max_bytes: nil, max_objects: nil, types: nil,
             use: "play", directory: false, now: nil, **edge)
      now = Claims.read_now(now)
      parts = Urls.split(url)
      claims = {
        path: Urls.read_path(parts[1], directory), exp: read_expiry(expires_in, expires_at, now),
        nbf: Claims.read_instant(not_before), use: use, sub: viewer, jti: jti,
        watermark: watermark, watch: watch, max_height: max_height, preview: preview,
        langs: langs, ip: ip, country: country, origin: origin, sessions: sessions,
        sessions_policy: sessions_policy, strict: strict, offline: offline,
        max_bytes: max_bytes, max_objects: max_objects, types: types
      }
      Urls.add_token(parts, mint(claims, now: now, **edge))
    end

    # Returns a link that writes below a folder and reads nothing. Takes the options of `link`
    # except `use`. The URL must end in a slash, unless `directory: true` is set.
    def upload_link(url, directory: false, **options)
      refuse_options(options, :use)
      Urls.read_path(Urls.split(url)[1], directory).end_with?("/") or
        raise Error.new("path_not_a_folder", "an upload link opens a folder: end the URL in a " \
                                             "slash, or set directory: true")
      link(url, **options, directory: directory, use: "upload")
    end

    # Returns the address of the edge's player page for an <iframe>. Takes the options of `link`
    # except `use`. The link is in the fragment, which browsers send to no server. Of a URL that
    # ends in a slash, the page plays `master.m3u8`.
    def embed_url(url, **options)
      refuse_options(options, :use)
      parts = Urls.split(url)
      url = Urls.beside(parts, "master.m3u8") if parts[1].end_with?("/")
      "#{parts[0]}/_lectern/play##{link(url, **options)}"
    end

    # Returns a link to the poster of a lecture, and to nothing else. The URL is that of the
    # lecture's folder or of an object in it. Takes the options of `link` except `use` and
    # `directory`. The edge refuses it with `max_height`, `preview` or `langs`.
    def poster_url(url, **options)
      refuse_options(options, :use, :directory)
      parts = Urls.split(url)
      refuse_restrictions(options, *RESTRICTIONS)
      link(Urls.beside(parts, "poster.jpg"), **options)
    end

    # Returns a link to the download of a lecture, and to nothing else. Browsers save the file under
    # `name`, or else under the name of the folder. Takes the options of `poster_url`
    # except `sessions`.
    def download_url(url, name: nil, **options)
      refuse_options(options, :use, :directory)
      parts = Urls.split(url)
      refuse_restrictions(options, *RESTRICTIONS, :sessions)
      parts[2] = Urls.put_member(parts[2], "download", Urls.encode_name(name))
      link(Urls.beside(parts, "lecture.mp4"), **options, use: "download")
    end

    # Returns a token with these claims, for example
    # { path: "/courses/rails/", exp: 1_800_000_000, sub: "s42" }. Omits a claim that is nil.
    def mint(claims, keys: nil, now: nil, max_link_age: MAX_LINK_AGE, max_watch: MAX_WATCH)
      kid, secret = Keys.read(keys).first
      now = Claims.read_now(now)
      max_link_age = Claims.read_bound(:max_link_age, max_link_age)
      max_watch = Claims.read_bound(:max_watch, max_watch)
      claims = Claims.check(name_claims(claims))
      Claims.check_target(claims)
      Claims.check_expiry(claims["exp"], now, max_link_age)
      if claims["watch"].to_i > max_watch
        raise Error.new("watch_too_long", "`watch` is #{claims["watch"]} seconds; the edge " \
                                          "allows #{max_watch} at most (MAX_WATCH)")
      end

      claims.delete("use") if claims["use"] == "play"
      parts = [{ alg: "HS256", typ: "JWT", kid: kid }, claims]
      signed = parts.map { |part| Keys.encode(JSON.generate(part)) }.join(".")
      token = "#{signed}.#{Keys.encode(Keys.mac(secret, signed))}"
      return token if token.bytesize <= MAX_LINK_BYTES

      raise Error.new("link_too_long", "the link is longer than #{MAX_LINK_BYTES} bytes")
    end

    # Returns the ids of the keys, the signing key first, as the edge's /_lectern/health lists
    # them. Raises if the keys are wrong: call it when the app starts.
    def key_ids(keys = nil) = Keys.read(keys).keys

    private

    def refuse_options(options, *names)
      unknown = names.find { |name| options.key?(name) }
      raise ArgumentError, "unknown keyword: #{unknown.inspect}" if unknown
    end

    def refuse_restrictions(options, *names)
      found = names.find { |name| !options[name].nil? }
      return unless found

      raise Error.new("bad_option", "the edge refuses a link to this object with `#{found}`: " \
                                    "leave it out")
    end

    # Claims by name, without those that are nil.
    def name_claims(claims)
      claims = claims.to_h
      twice, = claims.keys.map(&:to_s).tally.find { |_, times| times > 1 }
      if twice
        raise Error.new("duplicate_claim", "the claim `#{twice}` is given twice, as a Symbol and " \
                                           "as a String: remove one")
      end

      claims = claims.transform_keys(&:to_s).compact
      unknown = (claims.keys - Claims::NAMES).first
      raise Error.new("unknown_claim", "no claim is called `#{unknown}`") if unknown

      claims
    end

    def read_expiry(expires_in, expires_at, now)
      if expires_in && expires_at
        raise Error.new("bad_exp", "expires_in and expires_at are both set: remove one")
      end
      return Claims.read_instant(expires_at) if expires_at

      expires_in = EXPIRES_IN if expires_in.nil?
      # A duration of ActiveSupport says that it is an Integer.
      return now + expires_in.to_i if expires_in.is_a?(Integer)

      raise Error.new("bad_exp", "`expires_in` must be a whole number of seconds")
    end
  end
end
