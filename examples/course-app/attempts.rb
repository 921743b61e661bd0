# frozen_string_literal: true

require "ipaddr"
require "openssl"
require "securerandom"

# Bounds wrong passwords, for each account and for each address. A count stands in a table of fixed size, at a place that a
# secret hash chooses: names and addresses that are made up take no memory, and push no other count out. Two that share a
# place share a bound. The table is that of one process: several processes need one that they share.
class LoginAttempts
  PER_ACCOUNT = 10
  # A class has one address.
  PER_ADDRESS = 100
  WINDOW_SECONDS = 900
  PLACES = 4096

  def initialize(clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
    @clock = clock
    @secret = SecureRandom.bytes(32)
    @lock = Mutex.new
    @accounts, @addresses = Array.new(2) { { counts: Array.new(PLACES, 0), since: Array.new(PLACES, 0) } }
  end

  # Counts an attempt before its password is looked at. Returns nil, or the seconds until the next one where there is none left.
  def take(name, address)
    @lock.synchronize do
      places = places_of(name, address)
      wait = places.filter_map { |place| seconds_to_wait(*place) }.max
      places.each { |table, at,| table[:counts][at] += 1 } unless wait
      wait
    end
  end

  # Takes back the attempt of a right password. It leaves wrong ones counted: who has an account could guess without end.
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
