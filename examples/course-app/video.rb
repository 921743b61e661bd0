# frozen_string_literal: true

require "erb"
require "json"
require "net/http"
require "securerandom"
require "uri"
require_relative "../../sdk/ruby/lib/lectern"

# The school's use of the edge: it mints links, and reads which revision plays and how far the
# packaging of a lecture is.
module Video
  EDGE = ENV.fetch("LECTERN_EDGE", "http://localhost:8787").chomp("/")
  PLAYER = "#{EDGE}/_lectern/play"
  HEALTH = "#{EDGE}/_lectern/health"
  UPLOADS = "#{EDGE}/uploads/"
  STUDIO = "#{EDGE}/_lectern/studio"
  RECORDER = "#{EDGE}/_lectern/record"
  # Lets the player ask this page for a new link, and names this page to the player.
  SCRIPT = "#{EDGE}/_lectern/embed.js"
  # A lesson's link opens in the school's pages only, if the school knows its own origin.
  PAGES = [ENV["SCHOOL_ORIGIN"]].compact
  # Sample lectures for the error pages. A repaired link opens a sample, never a lesson.
  SAMPLE = "#{EDGE}/samples/lecture/master.m3u8"
  SAMPLE_BROADCAST = "#{EDGE}/samples/broadcast/master.m3u8"
  NO_LECTURE = "#{EDGE}/samples/none/master.m3u8"
  # Seconds from the page to the first frame. An opened lecture continues to play (WATCH_WINDOW).
  TO_BEGIN = 600
  FREE = { preview: [0, 8], max_height: 480 }.freeze
  HEIGHTS = [480, 720, 1080].freeze
  # Bounds of a teacher's links to one lecture. Links with one `jti` share them, so reloading the
  # page raises no bound. Five files, because the first may be the wrong one.
  FILE_BOUNDS = { max_bytes: 8 << 30, max_objects: 5, types: %w[video audio], expires_in: 3600 }.freeze
  # Four hours: a segment and its playlist every two seconds.
  LIVE_BOUNDS = { max_bytes: 8 << 30, max_objects: 8000, types: %w[hls], expires_in: 4 * 3600 }.freeze
  # Seconds for which the app's own links to read something open.
  TO_READ = 60

  # The edge does not answer.
  class Unavailable < StandardError; end
  # The edge has no such lecture.
  class Missing < StandardError; end

  class << self
    # The edge's player page for an <iframe>, with the link in its fragment.
    def embed(link) = "#{PLAYER}##{link}"

    # The link of a lesson. Without an account it is a preview, the same for all visitors and without
    # a viewer in the statistics.
    def watch(lesson, account, max_height = nil)
      who = account ? { viewer: account.id, max_height: max_height || account.max_height } : FREE
      who = who.merge(origin: PAGES) unless PAGES.empty?
      Lectern.link(playlist(lesson), expires_in: TO_BEGIN, **who)
    end

    # `use: "download"` makes the answer an attachment, which browsers save.
    def download(lesson, account)
      file = "#{EDGE}#{lesson.folder}#{revision(lesson)}lecture.mp4"
      Lectern.link(file, viewer: account.id, expires_in: TO_BEGIN, use: "download")
    end

    # A link to PUT one object. Each object gets its own folder, so that names never collide.
    def upload_link(account, name)
      folder = "#{UPLOADS}#{account.id}/#{Time.now.utc.strftime("%Y%m%d-%H%M%S")}-#{SecureRandom.hex(4)}"
      Lectern.link("#{folder}/#{name}", viewer: account.id, expires_in: TO_BEGIN, use: "upload")
    end

    # The page where the teacher of a lecture uploads or records it, with the link in its fragment.
    def creator_page(lecture)
      page, bounds = lecture.live? ? [RECORDER, LIVE_BOUNDS] : [STUDIO, FILE_BOUNDS]
      link = Lectern.upload_link("#{EDGE}#{lecture.root}", viewer: lecture.teacher, jti: "lecture-#{lecture.id}", **bounds)
      "#{page}##{link}"
    end

    # The packager's status of a lecture, or nil. An upload link reads it.
    def status(lecture, name)
      url = "#{EDGE}#{lecture.root}#{ERB::Util.url_encode(name)}"
      body = read(Lectern.link(url, directory: true, use: "upload", expires_in: TO_READ))
      body && JSON.parse(body)
    rescue JSON::ParserError
      nil
    end

    # Objects directly in a lecture's folder, with their names and times. The first page of the list
    # has those of a lecture that is not packaged.
    def objects(lecture)
      body = read("#{Lectern.link("#{EDGE}#{lecture.root}", use: "admin", expires_in: TO_READ)}&as=list")
      listed = JSON.parse(body.to_s).fetch("objects")
      listed.each { |object| object["name"] = object["key"].delete_prefix(lecture.root.delete_prefix("/")) }
      listed.reject { |object| object["name"].include?("/") }
    rescue JSON::ParserError, KeyError
      raise Unavailable, "#{lecture.root}: the list of the edge is not understood"
    end

    # True if the edge has a playlist of the lecture.
    def plays?(lecture) = !read(Lectern.link(playlist(lecture), expires_in: TO_READ)).nil?

    # Invalid links that show the error messages. Each is for a sample, because a link can be
    # repaired.
    def wrong_link(kind)
      case kind
      when "missing_token" then embed(SAMPLE)
      when "expired" then embed(Lectern.link(SAMPLE, expires_in: 60, now: Time.now - 3600))
      when "not_yet" then embed(Lectern.link(SAMPLE, expires_in: 7200, not_before: Time.now + 3600))
      when "forbidden" then embed(Lectern.link(NO_LECTURE, expires_in: TO_BEGIN).sub(NO_LECTURE, SAMPLE))
      # One letter of the signature.
      when "tampered" then embed(Lectern.link(SAMPLE, expires_in: TO_BEGIN).sub(/.(?=.{20}\z)/) { |one| one == "A" ? "B" : "A" })
      when "not_found" then embed(Lectern.link(NO_LECTURE, expires_in: TO_BEGIN))
      when "no_variant" then embed(Lectern.link(SAMPLE, expires_in: TO_BEGIN, max_height: 144))
      when "no_preview" then embed(Lectern.link(SAMPLE_BROADCAST, expires_in: TO_BEGIN, **FREE))
      end
    end

    private

    def playlist(lesson) = "#{EDGE}#{lesson.folder}master.m3u8"

    # The current revision is in `v/<revision>/`, and the playlist names it.
    def revision(lesson)
      body = read(Lectern.link(playlist(lesson), expires_in: TO_READ)) or
        raise Missing, "#{lesson.folder}: the edge has no lecture there"
      body[%r{\bv/[^/"]+/}] or raise Unavailable, "#{lesson.folder}: no revision plays"
    end

    # The body of an object, or nil if there is none.
    def read(link)
      url = URI(link)
      answer = Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == "https", open_timeout: 5, read_timeout: 10) do |http|
        http.get(url.request_uri)
      end
      case answer.code
      when "404" then nil
      when "200" then answer.body.to_s.dup.force_encoding("UTF-8")
      else raise Unavailable, "#{url.path}: the edge answers #{answer.code}"
      end
    rescue SystemCallError, SocketError, IOError, Timeout::Error, OpenSSL::SSL::SSLError => error
      raise Unavailable, "#{EDGE}: #{error.message}"
    end
  end
end
