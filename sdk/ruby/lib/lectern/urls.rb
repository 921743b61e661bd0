# frozen_string_literal: true

module Lectern
  # URLs of an edge, and the paths of objects and folders in them.
  module Urls
    # Origin, path, query and fragment of a URL (RFC 3986).
    URL = %r{\A([Hh][Tt][Tt][Pp][Ss]?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)
             (?:\?([^#\x00-\x20\x7f]*))?(?:\#([^\x00-\x20\x7f]*))?\z}x
    # The longest name of a download, in bytes. Encoded, it fits a query beside the longest link.
    MAX_NAME_BYTES = 1024
    # Faults of a path: a description, and what a key with the fault matches.
    FAULTS = {
      "path_not_absolute" => ["does not start with a slash"],
      "path_bad_escape" => ["has a percent sign without two hexadecimal digits"],
      "path_encoded_separator" => ["has an encoded slash or backslash"],
      "path_not_utf8" => ["is not UTF-8"],
      "path_too_long" => ["is longer than 1024 bytes", ->(key) { key.bytesize > 1024 }],
      "path_backslash" => ["has a backslash", /\\/],
      "path_semicolon" => ["has a semicolon", /;/],
      "path_control" => ["has a control character", /[\u0000-\u001F\u007F-\u009F]/],
      "path_encoded_twice" => ["is percent-encoded twice", /%\h\h/],
      "path_empty_segment" => ["has an empty segment, or names the whole bucket",
                               %r{\A(?:(?!\.\.?/)[^/]+/)*(?:/|\z)}],
      "path_dot_segment" => ["has a `.` or `..` segment", %r{(?<![^/])\.\.?(?![^/])}],
      "path_reserved" => ["starts with `/~`, or with `/_lectern/` and is not for `admin`"],
      "path_too_deep" => ["has more than 255 folders"]
    }.freeze

    class << self
      # Parts of a URL, as they are written.
      def split(url)
        URL.match(utf8(url) || "")&.captures or
          raise Error.new("bad_url", "the URL does not start with http(s)://, or has a space in " \
                                     "its host, query or fragment")
      end

      # URL of these parts, with this token in place of any other.
      def add_token((origin, path, query, fragment), token)
        path = path.b.gsub(%r{[^\w\-.~!$&'()*+,=:@/%]}n) { |byte| format("%%%02X", byte.ord) }
        query = put_member(query, "token", token)
        "#{origin}#{path.encode("UTF-8")}?#{query}#{"##{fragment}" if fragment}"
      end

      # Query in which a member has this value alone, or in which it is not, if the value is empty.
      def put_member(query, name, value)
        kept = query.to_s.split("&", -1).grep_v(/\A#{name}(?:=|\z)/)
        [*kept, *("#{name}=#{value}" unless value.empty?)].join("&")
      end

      # URL of another object in the same folder, without a token.
      def beside((origin, path, query, fragment), name)
        folder = path[%r{\A.*/}m] or raise bad_path("path_not_absolute")
        query = put_member(query, "token", "")
        "#{origin}#{folder}#{name}#{"?#{query}" unless query.empty?}#{"##{fragment}" if fragment}"
      end

      # Name of a download, percent-encoded.
      def encode_name(name)
        text = name.nil? ? "" : utf8(name)
        unless text && text.bytesize <= MAX_NAME_BYTES
          raise Error.new("bad_option", "`name` must be a text of #{MAX_NAME_BYTES} bytes at most")
        end

        text.b.gsub(/[^A-Za-z0-9\-._~]/n) { |byte| format("%%%02X", byte.ord) }.encode("UTF-8")
      end

      # Token in the query of a link, or nil.
      def find_token(link)
        query = URL.match(link)&.[](3).to_s
        query.split("&").find { |part| part.start_with?("token=") }&.delete_prefix("token=")
      end

      # Path that a link to this path of a URL opens, decoded once.
      def read_path(encoded, directory = false)
        unless [true, false, nil].include?(directory)
          raise Error.new("bad_option", "`directory` must be true or false")
        end

        path = decode_path(encoded)
        directory ? check_path(path[0..path.rindex("/")]) : path
      end

      # Path of an object or folder.
      def check_path(path)
        raise bad_path("path_not_absolute") unless path.is_a?(String) && path.b.start_with?("/")
        path = utf8(path) or raise bad_path("path_not_utf8")
        key = path.delete_prefix("/").delete_suffix("/")
        code, = FAULTS.find { |_, (_, fault)| fault === key }
        code ? raise(bad_path(code)) : path
      end

      # Error of a path with this fault.
      def bad_path(code)
        Error.new(code, "the path #{FAULTS.fetch(code).first}; write `/folder/object`, or " \
                        "`/folder/` for everything in it")
      end

      # String in UTF-8, or nil.
      def utf8(value)
        return unless value.is_a?(String)

        value = value.dup.force_encoding("UTF-8") if value.encoding == Encoding::BINARY
        value = value.encode("UTF-8")
        value if value.valid_encoding?
      rescue EncodingError
        nil
      end

      private

      def decode_path(encoded)
        raise bad_path("path_not_absolute") unless encoded.start_with?("/")

        case encoded[/%(?!\h\h)|%2F|%5C/i]
        when nil then check_path(encoded.b.gsub(/%\h\h/) { |escape| escape[1..].hex.chr })
        when "%" then raise bad_path("path_bad_escape")
        else raise bad_path("path_encoded_separator")
        end
      end
    end
  end
  private_constant :Urls
end
