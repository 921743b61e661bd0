# frozen_string_literal: true

require "set"
require_relative "../lectern"

# Verifies links as the edge does, for tests. In production the edge verifies.
#
#   require "lectern/verify"
#
#   Lectern.verify(link).fetch(:sub) # => "s42"
module Lectern
  # A token of JSON (RFC 8259).
  TOKEN = /#{Keys::STRING}|[{}\[\]:,]|
           (?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|null|true|false)
           (?![^\s{}\[\]:,])/x
  private_constant :TOKEN

  class << self
    # Returns the claims of a token, or of a URL with a token. The link must open this URL, or
    # `url` if it is given. Raises Lectern::Error if the link opens nothing.
    def verify(token, url: nil, keys: nil, now: nil, max_link_age: MAX_LINK_AGE)
      ring = Keys.read(keys)
      now = Claims.read_now(now)
      max_link_age = Claims.read_bound(:max_link_age, max_link_age)
      token = token.to_s.b
      in_url = Urls.find_token(token)
      url ||= token if in_url
      claims = read_token(in_url || token, ring)
      Claims.check_expiry(claims["exp"], now, max_link_age)
      early = claims.values_at("nbf", "iat").compact.find { |instant| instant > now + 30 }
      raise Error.new("not_yet_valid", "the link is not valid before #{early}") if early

      Claims.check_target(claims)
      check_scope(claims["path"], url) if url
      { "use" => "play" }.merge(claims).transform_keys(&:to_sym)
    end

    private

    # Claims of a token whose form and signature are right, at any time.
    def read_token(token, ring)
      if token.bytesize > MAX_LINK_BYTES
        raise Error.new("link_too_long", "the link is longer than #{MAX_LINK_BYTES} bytes")
      end

      parts = token.split(".", -1)
      header, payload, signature = parts.map { |part| Keys.decode(part) }
      unless parts.size == 3 && header && payload && signature
        raise Error.new("malformed", "the link is not a JWT of three base64url parts")
      end

      kid = check_header(read_json(header))
      check_signature(ring, kid, token[0...token.rindex(".")], signature)
      claims = read_json(payload)
      raise Error.new("bad_claims", "the claims are not a JSON object") unless claims.is_a?(Hash)

      begin
        Claims.check(claims.slice(*Claims::NAMES))
      rescue Error => e
        raise Error.new("bad_claims", "a claim is wrong: #{e.message}")
      end
    end

    # An unknown kid takes as long as a wrong signature.
    def check_signature(ring, kid, signed, signature)
      expected = Keys.mac(ring.fetch(kid) { ring.values.first }, signed)
      right = signature.bytesize == expected.bytesize &&
              OpenSSL.fixed_length_secure_compare(signature, expected)
      raise Error.new("unknown_key", "no key has the link's kid `#{kid}`") unless ring.key?(kid)
      raise Error.new("bad_signature", "the signature is wrong") unless right
    end

    # The `kid` of a correct header.
    def check_header(header)
      header = {} unless header.is_a?(Hash)
      typ, crit = header.fetch("typ", "JWT"), header.fetch("crit", ["exp"])
      unless header["alg"] == "HS256" && header["kid"].is_a?(String) && typ.is_a?(String) &&
             typ.casecmp?("JWT") && crit.is_a?(Array) && crit.any? && crit.all?(String)
        raise Error.new("bad_header", "the header is not {\"alg\":\"HS256\",\"kid\":…}")
      end

      unknown = (crit - Claims::NAMES).first
      return header["kid"] unless unknown

      raise Error.new("unknown_critical", "the header's `crit` has the unknown name `#{unknown}`")
    end

    def check_scope(path, url)
      opened = Urls.read_path(Urls.split(url)[1])
      return if opened == path || (path.end_with?("/") && opened.start_with?(path))

      raise Error.new("wrong_scope", "the link opens `#{path}`, not `#{opened}`")
    end

    # The token of a number as the edge reads it. It rounds a time down, by its digits, because a
    # float may be rounded up. It reads `-0` as a fraction, Ruby as an integer: no claim is null.
    def read_number(token, name)
      return "null" if token == "-0"

      is_time = token.match?(/\A[0-9]+\.[0-9]+\z/) && %w[exp nbf iat].include?(JSON.parse(name))
      is_time ? token[/\A[0-9]+/] : token
    end

    # The value of JSON without comments and repeated members, at most 16 levels deep, or nil.
    def read_json(bytes)
      text = Urls.utf8(bytes)
      return unless text && text.gsub(TOKEN, "").match?(/\A[ \t\r\n]*\z/)

      tokens = text.scan(TOKEN)
      open = []
      read = tokens.each_with_index.map do |token, at|
        if %w[} \]].include?(token)
          open.pop
        elsif !%w[, :].include?(token) && open.size > 16
          return nil
        end
        return nil if tokens[at + 1] == ":" && !open.last&.add?(JSON.parse(token))

        open << Set.new if %w[{ \[].include?(token)
        read_number(token, open.size == 1 && tokens[at - 1] == ":" ? tokens[at - 2] : "null")
      end
      JSON.parse(read.join(" "))
    rescue JSON::ParserError
      nil
    end
  end
end
