# frozen_string_literal: true

require "base64"
require "openssl"

# Accounts and their permissions. Passwords are stored as scrypt hashes (RFC 7914).
class Account
  attr_reader :id, :name, :max_height

  def initialize(id:, name:, salt:, hash:, max_height: nil, teaches: false)
    @id = id
    @name = name
    @salt = Base64.strict_decode64(salt)
    @hash = Base64.strict_decode64(hash)
    @max_height = max_height
    @teaches = teaches
  end

  def teacher? = @teaches

  def trial? = !max_height.nil?

  def password?(password)
    OpenSSL.fixed_length_secure_compare(Account.hash(password, @salt), @hash)
  end

  # 16 MiB and a few hundredths of a second per guess.
  def self.hash(password, salt)
    OpenSSL::KDF.scrypt(password, salt: salt, N: 2**14, r: 8, p: 1, length: 32)
  end

  ALL = [
    new(id: "u1", name: "ada", salt: "gdavC7nd1UWkkVPwsw8wbw==", hash: "XUr3mINFUxPWOjJB3UMqqHB3z9Kjd5mUSuwR0EBtMsI="),
    new(id: "u2", name: "tom", salt: "+e5vOD4jJB8O7W7KqyhwCA==", hash: "99OSZ8cKO5ruDLixg6fIY0LiRtAUNNGbP7cM3Kv/KbY=", max_height: 480),
    new(id: "u3", name: "ruth", salt: "USnHAYbzz2dkSjZliOnpHg==", hash: "s8SWo7fW9+PcfRFDmrln7YU/D8lCYUHDh0MOitiNZ44=", teaches: true)
  ].freeze

  def self.find(id) = ALL.find { |account| account.id == id }

  # The account of this name and password. An unknown name takes as long as a known one.
  def self.log_in(name, password)
    account = ALL.find { |candidate| candidate.name == name }
    right = (account || ALL.first).password?(password)
    account if right
  end
end
