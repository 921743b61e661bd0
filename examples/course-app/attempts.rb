# frozen_string_literal: true

require "ipaddr"
require "openssl"
require "securerandom"

# Limits wrong passwords per account and per address. A count stands in a table of fixed size, in
# the slot that a keyed hash chooses. Invented names and addresses take no memory and evict no
# count. Two that share a slot share a limit. The table belongs to one process; several processes
# need a shared one.
class LoginAttempts
  PER_ACCOUNT = 10
  # A class shares an address.
  PER_ADDRESS = 100
  WINDOW_SECONDS = 900
  PLACES = 4096

  def initialize(clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
    @clock = clock
    @secret = SecureRandom.bytes(32)
    @lock = Mutex.new
    @accounts, @addresses = Array.new(2) { { counts: Array.new(PLACES, 0), since: Array.new(PLACES, 0) } }
  end

  # Counts an attempt before its password is checked. Returns nil, or the seconds until the next one
  # is allowed.
  def take(name, address)
    @lock.synchronize do
      places = places_of(name, address)
      wait = places.filter_map { |place| seconds_to_wait(*place) }.max
      places.each { |table, at,| table[:counts][at] += 1 } unless wait
      wait
    end
  end

  # Uncounts the attempt of a correct password. Wrong ones stay counted, or an account holder could
  # guess without limit.
  def give_back(name, address)
    @lock.synchronize do
      places_of(name, address).each { |table, at,| table[:counts][at] -= 1 if table[:counts][at].positive? }
    end
  end

  private

  def places_of(name, address)
    [[@accounts, place_of(name), PER_ACCOUNT], [@addresses, place_of(network_of(address)), PER_ADDRESS]]
  end

  def place_of(text) = OpenSSL::HMAC.digest("SHA256", @secret, text).unpack1("N") % PLACES

  # A household has a /64 of IPv6.
  def network_of(address)
    ip = IPAddr.new(address)
    (ip.ipv6? ? ip.mask(64) : ip).to_s
  rescue IPAddr::Error
    address
  end

  def seconds_to_wait(table, at, limit)
    now = @clock.call
    if now - table[:since][at] >= WINDOW_SECONDS || table[:counts][at].zero?
      table[:counts][at] = 0
      table[:since][at] = now
    end
    (table[:since][at] + WINDOW_SECONDS - now).ceil if table[:counts][at] >= limit
  end
end
