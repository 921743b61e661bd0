# frozen_string_literal: true

require "json"
require "openssl"
require "set"

# Mints and verifies links to lectures behind a Lectern edge. Standard library only.
#
#   Lectern.link("https://video.school.example/courses/rails/intro/master.m3u8", viewer: "s42", expires_in: 6 * 3600)
#   # => "https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…"
#
# Players play it; an <iframe> of "https://video.school.example/_lectern/play##{link}" is one.
#
# The keys are the text that the edge has as LECTERN_KEYS, taken from the environment of that name; `keys:` overrides it. The
# first key mints, all verify. Times are whole seconds; instants are seconds since 1970, a Time or a DateTime. A link that the edge would
# refuse whoever opens it is refused here, as a Lectern::Error.
module Lectern
  VERSION = "0.1.0"
  # What the edge has where its variables of these names are not set.
  MAX_LINK_AGE = 30 * 86_400
  MAX_WATCH = 86_400
  # How long a link opens where nothing is said.
  EXPIRES_IN = 6 * 3600
  MAX_LINK_BYTES = 4096

  # Says what is wrong. `code` is stable, and the same in every language: "key_too_short", "exp_too_far", "path_not_absolute" …
  class Error < StandardError
    attr_reader :code

    def initialize(code, message)
      @code = code
      super(message)
    end
  end

  # What a link with restrictions never opens, whatever is stored there: what these extensions name is sent as it is.
  NO_PLAYLIST = %w[m4s mp4 cmfv m4v m4a cmfa ts aac mp3 webm mov mkv vtt mpd json jpg jpeg png webp avif gif].freeze

  # Every claim in the order in which it is written, with its rule and what it has to be.
  CLAIMS = {
    "path" => nil,
    "exp" => [:seconds, "`exp` (expires_in, expires_at) is a whole number of seconds"],
    "nbf" => [:seconds, "`nbf` (not_before) is a whole number of seconds since 1970"],
    "iat" => [:seconds, "`iat` is a whole number of seconds since 1970"],
    "use" => [:use, "`use` is \"play\", \"download\", \"upload\" or \"admin\""],
    "sub" => [:label, "`sub` (viewer) is a text of 1 to 256 bytes"],
    "jti" => [:label, "`jti` is a text of 1 to 256 bytes"],
    "watch" => [:positive, "`watch` is a whole number of seconds, at least 1"],
    "max_height" => [:small, "`max_height` is a whole number of lines, at least 1"],
    "preview" => [:preview, "`preview` is [from, to] in whole seconds, the first before the second"],
    "langs" => [:langs, "`langs` is a list of 1 to 32 BCP 47 tags such as \"en\" or \"pt-BR\""],
    "ip" => [:cidrs, "`ip` is a list of 1 to 32 ranges such as \"192.0.2.0/24\", without bits behind the prefix"],
    "country" => [:countries, "`country` is a list of 1 to 32 ISO 3166 codes such as \"DE\""],
    "origin" => [:origins, "`origin` is a list of 1 to 32 origins such as \"https://*.school.example\""],
    "sessions" => [:small, "`sessions` is a whole number, at least 1"],
    "max_bytes" => [:positive, "`max_bytes` is a whole number of bytes, at least 1"]
  }.freeze

  PATHS = {
    "path_not_absolute" => "does not start with a slash",
    "path_empty_segment" => "has an empty segment, or is the whole bucket",
    "path_dot_segment" => "has a `.` or `..` segment",
    "path_encoded_separator" => "has an encoded slash or backslash",
    "path_backslash" => "has a backslash",
    "path_semicolon" => "has a semicolon",
    "path_control" => "has a control character",
    "path_bad_escape" => "has a percent sign without two hexadecimal digits",
    "path_encoded_twice" => "is percent-encoded twice",
    "path_not_utf8" => "is not UTF-8",
    "path_too_long" => "is longer than 1024 bytes",
    "path_too_deep" => "is over 255 folders deep",
    "path_reserved" => "is the edge's own: `/_lectern/`, and what begins with `/~`"
  }.freeze

  # RFC 3986, taken apart as text, so that what is not the token stays as it was.
  URL = %r{\A([Hh][Tt][Tt][Pp][Ss]?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?\z}
  # What JSON is made of (RFC 8259); half of a surrogate pair is in no string.
  TOKEN = %r{"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u(?:[0-9A-CEFa-cef]\h{3}|[Dd][0-7]\h\h|[Dd][89ABab]\h\h\\u[Dd][C-Fc-f]\h\h))*"|[{}\[\]:,]|(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|null|true|false)(?![^\s{}\[\]:,])}
  private_constant :CLAIMS, :PATHS, :URL, :TOKEN, :NO_PLAYLIST

  class << self
    # The URL with `?token=…` in its query; an older token there is replaced.
    #
    # A URL that ends in a slash opens its folder; `directory: true` opens the folder that the object is in.
    # `watch`, `max_height`, `preview`, `langs`, `ip`, `country`, `origin` and `jti` are the claims of these names.
    def link(url, viewer: nil, expires_in: nil, expires_at: nil, not_before: nil, watch: nil, max_height: nil, preview: nil,
             langs: nil, ip: nil, country: nil, origin: nil, jti: nil, use: "play", directory: false, now: nil, **edge)
      now = time(now)
      parts = url_parts(url)
      claims = { path: object_path(parts[2], directory), exp: expiry(expires_in, expires_at, now), nbf: instant(not_before),
                 use: use, sub: viewer, jti: jti, watch: watch, max_height: max_height, preview: preview, langs: langs, ip: ip,
                 country: country, origin: origin }
      with_token(parts, mint(claims, now: now, **edge))
    end

    # As `link`, to write below a folder: the URL ends in a slash, or `directory: true` is set. It reads nothing.
    def upload_link(url, directory: false, **options)
      raise ArgumentError, "unknown keyword: :use" if options.key?(:use)

      path = object_path(url_parts(url)[2], directory)
      path.end_with?("/") or
        raise Error.new("path_not_a_folder", "an upload link opens a folder: end the URL in a slash, or set directory: true")
      link(url, **options, directory: directory, use: "upload")
    end

    # A token over claims of these names: { path: "/courses/rails/", exp: 1_800_000_000, sub: "s42" }. A nil is left out.
    def mint(claims, keys: nil, now: nil, max_link_age: MAX_LINK_AGE, max_watch: MAX_WATCH)
      kid, secret = keyring(keys).first
      now = time(now)
      max_link_age = bound(:max_link_age, max_link_age)
      max_watch = bound(:max_watch, max_watch)
      twice, = claims.to_h.keys.map(&:to_s).tally.find { |_, times| times > 1 }
      raise Error.new("duplicate_claim", "the claim `#{twice}` is there twice, by its name as a Symbol and as a String") if twice

      claims = claims.to_h.transform_keys(&:to_s).compact
      unknown = claims.keys - CLAIMS.keys
      raise Error.new("unknown_claim", "no claim is called `#{unknown.first}`") unless unknown.empty?
      check_reserved(claims)
      claims = check(claims)
      check_opens(claims)
      check_expiry(claims["exp"], now, max_link_age)
      if claims["watch"].to_i > max_watch
        raise Error.new("watch_too_long", "`watch` is #{claims["watch"]} s, and the edge counts #{max_watch} at most (MAX_WATCH)")
      end

      claims.delete("use") if claims["use"] == "play"
      signed = [{ alg: "HS256", typ: "JWT", kid: kid }, claims].map { |part| encode(JSON.generate(part)) }.join(".")
      token = "#{signed}.#{encode(mac(secret, signed))}"
      token.bytesize <= MAX_LINK_BYTES or raise Error.new("link_too_long", "the link is longer than #{MAX_LINK_BYTES} bytes")
      token
    end

    # The claims of a token, or of a URL that has one, which then has to open that URL; `url` is what it has to open else.
    def verify(token, url: nil, keys: nil, now: nil, max_link_age: MAX_LINK_AGE)
      ring = keyring(keys)
      now = time(now)
      max_link_age = bound(:max_link_age, max_link_age)
      token = token.to_s.b
      found = URL.match(token)&.[](3)&.split("&")&.find { |parameter| parameter.start_with?("token=") }
      url ||= token if found
      claims = claims_of(found ? found.delete_prefix("token=") : token, ring)
      check_expiry(claims["exp"], now, max_link_age)
      early = claims.values_at("nbf", "iat").compact.find { |instant| instant > now + 30 }
      raise Error.new("not_yet_valid", "the link is not valid before #{early}") if early

      check_reserved(claims)
      check_opens(claims)
      check_scope(claims["path"], url) if url
      { "use" => "play" }.merge(claims).transform_keys(&:to_sym)
    end

    # The ids of the keys, the minting one first, as the edge's /_lectern/health says them. Raises where the keys are wrong.
    def key_ids(keys = nil)
      keyring(keys).keys
    end

    private

    # LECTERN_KEYS as { kid => secret }.
    def keyring(text)
      text ||= ENV["LECTERN_KEYS"]
      raise Error.new("no_keys", "LECTERN_KEYS is not set: it is the text that the edge has, which `lectern keys new` printed") if text.to_s.b.strip.empty?

      entries = json(text.to_s)
      form = entries.is_a?(Array) && entries.all? do |entry|
        entry.is_a?(Hash) && entry.keys.sort == %w[kid secret] && entry.values.all?(String)
      end
      raise Error.new("bad_keys", "LECTERN_KEYS is not a JSON list of {\"kid\", \"secret\"}") unless form
      raise Error.new("no_keys", "LECTERN_KEYS is an empty list: `lectern keys new` prints a value") if entries.empty?

      entries.each_with_object({}) do |entry, ring|
        kid, secret = entry.values_at("kid", "secret")
        raise Error.new("duplicate_kid", "LECTERN_KEYS has the kid `#{kid}` twice") if ring.key?(kid)

        ring[kid] = key(kid, decode(secret))
      end
    end

    def key(kid, secret)
      raise Error.new("bad_secret", "the secret of `#{kid}` is not base64url without padding") unless secret
      raise Error.new("bad_kid", "a kid is not 1 to 64 characters of A-Za-z0-9._-") unless kid.match?(/\A[A-Za-z0-9._-]{1,64}\z/)

      bytes = secret.bytesize
      raise Error.new("key_too_short", "the secret of `#{kid}` has #{bytes} bytes; it needs 32 to 1024") if bytes < 32
      raise Error.new("key_too_long", "the secret of `#{kid}` has #{bytes} bytes; it needs 32 to 1024") if bytes > 1024

      secret
    end

    def url_parts(url)
      url = text(url)
      (url && URL.match(url)&.to_a) or
        raise Error.new("bad_url", "not a URL of an edge: it begins with https:// or http://, without spaces in host and query")
    end

    def with_token((_, origin, path, query, fragment), token)
      path = path.b.gsub(%r{[^A-Za-z0-9\-._~!$&'()*+,=:@/%]}n) { |byte| format("%%%02X", byte.ord) }.encode("UTF-8")
      kept = query.to_s.split("&", -1).reject { |parameter| parameter == "token" || parameter.start_with?("token=") }
      "#{origin}#{path}?#{[*kept, "token=#{token}"].join("&")}#{"##{fragment}" if fragment}"
    end

    # What a URL's path names, decoded once.
    def object_path(path, directory)
      raise Error.new("bad_option", "`directory` is true or false") unless [true, false, nil].include?(directory)

      bad_path("path_not_absolute") unless path.start_with?("/")
      folder = path.length > 1 && path.end_with?("/")
      encoded = path.b.delete_prefix("/")
      encoded = encoded.delete_suffix("/") if folder
      bad_path("path_too_long") if encoded.bytesize > 3 * 1024
      key = encoded.gsub(/%(\h\h)?/n) do
        byte = Regexp.last_match(1)&.hex or bad_path("path_bad_escape")
        bad_path("path_encoded_separator") if [0x2F, 0x5C].include?(byte)
        byte.chr
      end
      path = check_path("/#{key.force_encoding("UTF-8")}#{"/" if folder}")
      directory && !folder ? check_path(path[0..path.rindex("/")]) : path
    end

    def check_path(path)
      bad_path("path_not_absolute") unless path.is_a?(String) && path.b.start_with?("/")
      path = text(path) or bad_path("path_not_utf8")
      key = path.delete_prefix("/").delete_suffix("/")
      bad_path("path_too_long") if key.bytesize > 1024
      bad_path("path_backslash") if key.include?("\\")
      bad_path("path_semicolon") if key.include?(";")
      bad_path("path_control") if key.match?(/[\u0000-\u001F\u007F-\u009F]/)
      bad_path("path_encoded_twice") if key.match?(/%\h\h/)
      "/#{key}/".scan(%r{(?<=/)[^/]*(?=/)}) do |segment|
        bad_path("path_empty_segment") if segment.empty?
        bad_path("path_dot_segment") if [".", ".."].include?(segment)
      end
      path
    end

    # Restrictions that the edge does not enforce yet.
    def check_reserved(claims)
      name = %w[sessions max_bytes].find { |reserved| claims.key?(reserved) }
      raise Error.new("reserved_claim", "`#{name}` is reserved: the edge refuses a link that has it") if name
    end

    # What is well-formed, and opens nothing at the edge.
    def check_opens(claims)
      path = claims["path"]
      bad_path("path_reserved") if path.start_with?("/_lectern/", "/~")
      bad_path("path_too_deep") if path.count("/") > 256
      return if claims.values_at("max_height", "preview", "langs").none? || claims["use"] == "upload"
      return unless NO_PLAYLIST.include?(path[/\.([A-Za-z0-9]+)\z/, 1]&.downcase)

      raise Error.new("path_not_a_playlist",
                      "a link with max_height, preview or langs opens playlists: link to the `.m3u8`, or to its folder")
    end

    def bad_path(code)
      raise Error.new(code, "the path #{PATHS.fetch(code)}; it is `/folder/object`, or `/folder/` for everything in it")
    end

    def expiry(lasts, at, now)
      raise Error.new("bad_exp", "expires_in and expires_at are both set") if lasts && at
      return instant(at) if at

      lasts = EXPIRES_IN if lasts.nil?
      # Durations of ActiveSupport say that they are one.
      raise Error.new("bad_exp", "expires_in is a whole number of seconds") unless lasts.is_a?(Integer)

      now + lasts.to_i
    end

    def instant(value)
      value = value.to_time if defined?(DateTime) && value.is_a?(DateTime)
      value.is_a?(Time) ? value.to_i : value
    end

    # Now, in whole seconds.
    def time(now)
      now = instant(now.nil? ? Time.now : now)
      now = now.floor if now.is_a?(Float) && now.finite?
      seconds(now) or raise Error.new("bad_option", "`now` is seconds since 1970, a Time or a DateTime")
    end

    # A bound of the edge, in seconds.
    def bound(name, value)
      seconds(value) or raise Error.new("bad_option", "`#{name}` is a whole number of seconds")
    end

    def check_expiry(exp, now, max_link_age)
      raise Error.new("expired", "the link expired at #{exp}; it is #{now}") if exp < now
      raise Error.new("exp_too_far", "the link expires more than #{max_link_age} s ahead (MAX_LINK_AGE)") if exp - now > max_link_age
    end

    # Claims in their order, each as the edge writes it.
    def check(claims)
      claims = { "path" => nil, "exp" => nil }.merge(claims)
      CLAIMS.each_with_object({}) do |(name, (kind, rule)), checked|
        next unless claims.key?(name)

        value = name == "path" ? check_path(claims[name]) : send(kind, claims[name])
        raise Error.new("bad_#{name}", rule) if value.nil?

        checked[name] = value
      end
    end

    def whole(value, range)
      value.to_i if value.is_a?(Integer) && range.cover?(value.to_i)
    end

    def seconds(value) = whole(value, 0..2**53 - 1)
    def positive(value) = whole(value, 1..2**53 - 1)
    def small(value) = whole(value, 1..2**32 - 1)
    def use(value) = (value if %w[play download upload admin].include?(value))

    def label(value)
      text = text(value)
      text if text && text.bytesize.between?(1, 256)
    end

    def preview(value)
      return unless value.is_a?(Array) && value.size == 2

      from, to = value.map { |second| whole(second, 0..2**32 - 1) }
      [from, to] if from && to && from < to
    end

    def langs(value) = list(value) { |lang| lang if lang.match?(/\A[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*\z/) }
    def countries(value) = list(value) { |code| code.upcase if code.match?(/\A[A-Za-z][A-Za-z0-9]\z/) }
    def cidrs(value) = list(value) { |range| cidr(range) }

    def origins(value)
      list(value) do |origin|
        scheme, host = origin.downcase.match(%r{\A([a-z0-9.:\[\]+-]+)://(?:\*(?=\.))?([a-z0-9.:\[\]+-]+)\z})&.captures
        "#{scheme}://#{"*" if host.start_with?(".")}#{host}" if origin.ascii_only? && host
      end
    end

    def list(value)
      return unless value.is_a?(Array) && value.size.between?(1, 32)

      entries = value.map { |entry| (entry = text(entry)) && yield(entry) }
      entries if entries.all?
    end

    # RFC 4632, RFC 4291: no bit behind the prefix, no IPv4 address written as IPv6.
    def cidr(range)
      base, length = range.match(%r{\A([\h:.]+)(?:/([0-9]+))?\z})&.captures
      groups = octets(base.to_s) || hextets(base.to_s) or return
      each = groups.size == 4 ? 8 : 16
      bits = groups.size * each
      address = groups.inject { |number, group| (number << each) | group }
      length = (length || bits).to_i
      mapped = bits == 128 && address >> 32 == 0xFFFF
      return if mapped || length > bits || address & ((1 << (bits - length)) - 1) != 0

      "#{bits == 32 ? groups.join(".") : ipv6(groups)}/#{length}"
    end

    def octets(text)
      parts = text.split(".", -1)
      parts.map(&:to_i) if parts.size == 4 && parts.all? { |part| part.match?(/\A(?:0|[1-9][0-9]{0,2})\z/) && part.to_i < 256 }
    end

    # The eight groups of an IPv6 address.
    def hextets(text)
      before, dotted = text.match(/\A(.*:)([^:]*\.[^:]*)\z/)&.captures
      last = octets(dotted) if dotted
      return if dotted && !last

      text = format("%s%x:%x", before, last[0] * 256 + last[1], last[2] * 256 + last[3]) if last
      halves = text.split("::", -1).map { |half| half.split(":", -1) }
      gap = 8 - halves.sum(&:size)
      return if halves.size == 2 ? gap < 1 : halves.size != 1 || gap != 0

      groups = halves.size == 2 ? halves.first + ["0"] * gap + halves.last : halves.first
      groups.map(&:hex) if groups.all? { |group| group.match?(/\A\h{1,4}\z/) }
    end

    # RFC 5952: the first of the longest runs of zeros is left out.
    def ipv6(groups)
      groups = groups.map { |group| group.to_s(16) }.join(":")
      zeros = groups.scan(/\b0(?::0)+\b/).max_by(&:length)
      zeros ? groups.sub(/(\A|:)#{zeros}(:|\z)/, "::") : groups
    end

    # The claims of a token whose form and signature are right, whatever the time.
    def claims_of(token, ring)
      raise Error.new("link_too_long", "the link is longer than #{MAX_LINK_BYTES} bytes") if token.bytesize > MAX_LINK_BYTES

      parts = token.split(".", -1)
      header, payload, signature = parts.map { |part| decode(part) }
      unless parts.size == 3 && header && payload && signature
        raise Error.new("malformed", "the link is not a JWT of three base64url parts")
      end

      kid = check_header(json(header))
      expected = mac(ring.fetch(kid) { ring.values.first }, token[0...token.rindex(".")])
      right = signature.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(signature, expected)
      raise Error.new("unknown_key", "no key has the link's kid `#{kid}`") unless ring.key?(kid)
      raise Error.new("bad_signature", "the signature is wrong") unless right

      claims = json(payload)
      raise Error.new("bad_claims", "the claims are no JSON object") unless claims.is_a?(Hash)

      begin
        check(claims.slice(*CLAIMS.keys))
      rescue Error => e
        raise Error.new("bad_claims", "the claims are not acceptable: #{e.message}")
      end
    end

    # The `kid` of a header that says what it must.
    def check_header(header)
      ok = header.is_a?(Hash) && header["alg"] == "HS256" && header["kid"].is_a?(String)
      ok &&= header["typ"].is_a?(String) && header["typ"].casecmp?("JWT") if ok && header.key?("typ")
      ok &&= header["crit"].is_a?(Array) && header["crit"].any? && header["crit"].all?(String) if ok && header.key?("crit")
      raise Error.new("bad_header", "the header is not {\"alg\":\"HS256\",\"kid\":…}") unless ok

      unknown = (header["crit"] || []) - CLAIMS.keys
      raise Error.new("unknown_critical", "the header's `crit` lists `#{unknown.first}`, which is not understood") if unknown.any?

      header["kid"]
    end

    def check_scope(path, url)
      opened = object_path(url_parts(url)[2], false)
      return if opened == path || (path.end_with?("/") && opened.start_with?(path))

      raise Error.new("wrong_scope", "the link opens `#{path}`, and not `#{opened}`")
    end

    def text(value)
      return unless value.is_a?(String)

      value = value.dup.force_encoding("UTF-8") if value.encoding == Encoding::BINARY
      value = value.encode("UTF-8")
      value if value.valid_encoding?
    rescue EncodingError
      nil
    end

    # As the edge reads JSON: no comment, no member twice, 16 levels at most.
    def json(bytes)
      text = text(bytes)
      return unless text && text.gsub(TOKEN, "").match?(/\A[ \t\r\n]*\z/)

      open = []
      tokens = text.scan(TOKEN)
      tokens.each_with_index do |token, at|
        if %w[} \]].include?(token)
          open.pop
        elsif !%w[, :].include?(token) && open.size > 16
          return nil
        end
        return nil if tokens[at + 1] == ":" && !open.last&.add?(JSON.parse(token))

        open << Set.new if %w[{ \[].include?(token)
      end
      # `-0` is no whole number of the edge's, and a 0 of Ruby's; what is no whole number is no claim.
      JSON.parse(tokens.map { |token| token == "-0" ? "null" : token }.join(" "))
    rescue JSON::ParserError
      nil
    end

    def mac(secret, text) = OpenSSL::HMAC.digest("SHA256", secret, text)
    def encode(bytes) = [bytes].pack("m0").tr("+/", "-_").delete("=")

    # Base64url without padding (RFC 4648 §5), in its one right spelling.
    def decode(text)
      bytes = text.tr("-_", "+/").unpack1("m")
      bytes if text.match?(/\A[A-Za-z0-9_-]*\z/) && encode(bytes) == text
    end
  end
end
