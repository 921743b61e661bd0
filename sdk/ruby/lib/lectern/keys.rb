# frozen_string_literal: true

require "json"
require "openssl"

module Lectern
  # Keys of LECTERN_KEYS, their signatures (RFC 7515), and base64url (RFC 4648 §5).
  module Keys
    # A JSON string (RFC 8259) without an unpaired surrogate.
    STRING = %r{"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u(?:[0-9A-CEFa-cef]\h{3}|[Dd][0-7]\h\h|
                [Dd][89ABab]\h\h\\u[Dd][C-Fc-f]\h\h))*"}x
    MEMBER = /#{STRING}[ \t\r\n]*:[ \t\r\n]*#{STRING}[ \t\r\n]*/
    ENTRY = /\{[ \t\r\n]*#{MEMBER},[ \t\r\n]*#{MEMBER}\}[ \t\r\n]*/
    LIST = /\A[ \t\r\n]*\[[ \t\r\n]*(?:#{ENTRY}(?:,[ \t\r\n]*#{ENTRY})*)?\][ \t\r\n]*\z/

    class << self
      # Secrets by kid, the signing key first.
      def read(text)
        parse_entries(text || ENV["LECTERN_KEYS"]).each_with_object({}) do |entry, ring|
          kid, secret = entry.values_at("kid", "secret")
          if ring.key?(kid)
            raise Error.new("duplicate_kid", "LECTERN_KEYS has the kid `#{kid}` twice")
          end

          ring[kid] = check_secret(kid, decode(secret))
        end
      end

      def mac(secret, text) = OpenSSL::HMAC.digest("SHA256", secret, text)
      def encode(bytes) = [bytes].pack("m0").tr("+/", "-_").delete("=")

      # Bytes of base64url without padding, or nil. Accepts one spelling of each value.
      def decode(text)
        bytes = text.tr("-_", "+/").unpack1("m")
        bytes if text.match?(/\A[A-Za-z0-9_-]*\z/) && encode(bytes) == text
      end

      private

      def parse_entries(text)
        if text.to_s.b.strip.empty?
          raise Error.new("no_keys", "LECTERN_KEYS is not set: copy the edge's value, which " \
                                     "`lectern keys new` prints")
        end

        text = Urls.utf8(text.to_s)
        entries = text&.match?(LIST) ? JSON.parse(text) : [{}]
        unless entries.all? { |entry| entry.keys.sort == %w[kid secret] }
          raise Error.new("bad_keys", "LECTERN_KEYS is not a JSON list of {\"kid\", \"secret\"}")
        end
        return entries unless entries.empty?

        raise Error.new("no_keys", "LECTERN_KEYS is an empty list: run `lectern keys new`")
      end

      def check_secret(kid, bytes)
        unless bytes
          raise Error.new("bad_secret", "the secret of `#{kid}` is not base64url without padding")
        end
        unless kid.match?(/\A[A-Za-z0-9._-]{1,64}\z/)
          raise Error.new("bad_kid", "a kid must be 1 to 64 characters of A-Za-z0-9._-")
        end
        return bytes if bytes.bytesize.between?(32, 1024)

        raise Error.new(bytes.bytesize < 32 ? "key_too_short" : "key_too_long",
                        "the secret of `#{kid}` has #{bytes.bytesize} bytes; it needs 32 to 1024")
      end
    end
  end
  private_constant :Keys
end
