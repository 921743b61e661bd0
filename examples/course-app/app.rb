# frozen_string_literal: true

require "json"
require "sinatra/base"
# Escapes output of templates. Without it, Sinatra silently ignores `escape_html`.
require "erubi"
require_relative "accounts"
require_relative "attempts"
require_relative "catalogue"
require_relative "lectures"
require_relative "packaging"
require_relative "video"

# Invalid keys fail at start, not at the first request of a student.
Lectern.key_ids

class School < Sinatra::Base
  RECORDINGS = %w[mp4 mov webm mkv].freeze
  # MAX_UPLOAD_BYTES of the edge.
  LARGEST = 100 << 20
  # Title and reason of each. The edge's own sentence omits reasons that would help a forger.
  ERROR_PAGES = {
    "missing_token" => ["No link", "The page has only the address of the lecture. The course gives each student a link."],
    "expired" => ["Expired link", "The student opens the lesson again and gets a new link."],
    "not_yet" => ["Link that opens later", "This link opens in an hour. The course gives no link before its lesson opens."],
    "forbidden" => ["Link to another lesson", "A link opens only the lesson that it was made for."],
    "tampered" => ["Altered link", "One letter differs, so the signature does not match."],
    "not_found" => ["Missing lecture", "The lecture was removed, or it has not been published yet."],
    "no_variant" => ["Quality that does not exist", "This link allows up to 144p, and the lecture starts at 240p."],
    "no_preview" => ["Preview of a live lecture", "The first seconds of a live lecture change while it runs."]
  }.freeze
  # Seconds after which a session needs a password again.
  SESSION_SECONDS = 86_400

  # A signed cookie in JSON, which needs no unmarshalling. A school behind TLS sends it over TLS
  # only.
  def self.cookie(origin)
    { coder: Rack::Session::Cookie::Base64::JSON.new, hmac: OpenSSL::Digest::SHA256, same_site: :lax, httponly: true,
      secure: origin.start_with?("https://") }
  end

  set :root, __dir__
  set :environment, :production
  set :erb, escape_html: true
  # A redirect contains a path only. A full URL would come from request headers, which a client
  # chooses.
  set :absolute_redirects, false
  set :attempts, LoginAttempts.new
  set :lectures, Lectures.new
  set :session_secret, ENV["SESSION_SECRET"] || SecureRandom.hex(64)
  set :sessions, cookie(ENV.fetch("SCHOOL_ORIGIN", "http://localhost:3000"))
  use Rack::Protection::AuthenticityToken, message: "This form has expired. Go back, reload the page and send it again."

  helpers do
    def account
      return if Time.now.to_i - session[:since].to_i > SESSION_SECONDS

      @account ||= Account.find(session[:account])
    end

    def form_token = Rack::Protection::AuthenticityToken.token(session)
    def path_of(lesson) = "/lessons/#{lesson.course}/#{lesson.slug}"

    # Refuses with a sentence.
    def refuse(status, sentence)
      halt status, erb(:message, locals: { sentence: sentence })
    end

    def refuse_until_open
      refuse(403, "“#{lesson.title}” opens on #{day(lesson.opens)}.") unless lesson.open?
    end

    def day(time) = time.strftime("%-d %B %Y")

    # Then shows `to`. It must be a page, because form-action forbids a redirect to the edge.
    def log_in_to(what, to: request.path_info)
      return if account

      session[:to] = to
      halt 401, erb(:login, locals: { sentence: "Log in to #{what}." })
    end

    def lesson
      Course.find(params[:course])&.lesson(params[:lesson]) or raise Sinatra::NotFound
    end

    def lecture = settings.lectures.find(params[:id]) || raise(Sinatra::NotFound)

    def teach_only
      log_in_to("teach")
      refuse(403, "Only teachers submit and record lectures.") unless account.teacher?
    end

    def progress_json(lecture)
      packaging = Packaging.of(lecture)
      { sentence: packaging.sentence(for_teacher: account.id == lecture.teacher), plays: packaging.plays?, over: packaging.over?,
        bar: packaging.bar?, percent: packaging.working? ? packaging.percent : nil }
    end

    # The address of the connection. A client could forge a header.
    def address = request.env["REMOTE_ADDR"].to_s

    # Converts a file name to an object name.
    def object_name(name)
      name.scrub("-").gsub(/[^A-Za-z0-9._-]/, "-").chars.last(100).join.delete_prefix(".")
    end

    # The height that the viewer selected, if his account allows it.
    def height
      asked = params[:height].to_s
      return if asked.empty?

      height = Video::HEIGHTS.find { |one| one.to_s == asked } or
        refuse(400, "This quality does not exist. Choose #{Video::HEIGHTS.map { |one| "#{one}p" }.join(", ")}.")
      account.trial? && height > account.max_height and
        refuse(403, "Your trial account plays up to #{account.max_height}p. A full account plays #{height}p.")
      height
    end
  end

  before do
    headers "Content-Security-Policy" => "default-src 'none'; script-src 'self' #{Video::SCRIPT}; style-src 'self'; img-src 'self' data:; " \
                                         "frame-src #{Video::PLAYER} #{Video::STUDIO} #{Video::RECORDER}; connect-src 'self' #{Video::HEALTH} #{Video::UPLOADS}; " \
                                         "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "Referrer-Policy" => "same-origin",
            # Pages contain links.
            "Cache-Control" => "no-store"
  end

  get("/") { erb :courses }

  get("/login") { erb :login, locals: { sentence: nil } }

  post "/login" do
    name = params[:name].to_s
    wait = settings.attempts.take(name, address)
    if wait
      headers "Retry-After" => wait.to_s
      halt 429, erb(:login, locals: { sentence: "Too many wrong passwords. Try again in #{(wait / 60.0).ceil} minutes." })
    end
    found = Account.log_in(name, params[:password].to_s) or
      halt 401, erb(:login, locals: { sentence: "Wrong name or password." })
    settings.attempts.give_back(name, address)
    to = session[:to]
    # A session from before the log-in ends.
    session.clear
    session[:account] = found.id
    session[:since] = Time.now.to_i
    redirect to || "/", 303
  end

  post "/logout" do
    session.clear
    redirect "/", 303
  end

  get "/lessons/:course/:lesson" do
    refuse_until_open
    log_in_to("watch “#{lesson.title}”") unless lesson.free
    erb :lesson, locals: { lesson: lesson, video: Video.embed(Video.watch(lesson, account, account && height)) }
  end

  # A new link for a player whose link has ended: `data-renew-url` of its frame.
  get "/lessons/:course/:lesson/link" do
    refuse_until_open
    refuse(401, "Log in to watch “#{lesson.title}”.") unless account || lesson.free
    content_type :json
    JSON.generate(link: Video.watch(lesson, account, account && height))
  end

  get "/lessons/:course/:lesson/download" do
    refuse_until_open
    log_in_to("download “#{lesson.title}”", to: path_of(lesson))
    # The file is 720p, which exceeds a trial account.
    refuse(403, "Your trial account plays lectures here. A full account downloads them.") if account.trial?
    redirect Video.download(lesson, account), 303
  end

  get "/upload" do
    log_in_to("submit a recording")
    erb :upload, locals: { accepted: RECORDINGS.map { |ending| ".#{ending}" }.join(",") }
  end

  # The page asks before it sends a byte. The file goes directly to the edge.
  post "/upload" do
    content_type :json
    refuse = ->(status, sentence) { halt status, JSON.generate(sentence: sentence) }
    refuse.(401, "Log in to submit a recording.") unless account
    name = object_name(params[:name].to_s)
    refuse.(415, "This file is not a recording. Choose one of these types: #{RECORDINGS.join(", ")}.") unless RECORDINGS.include?(name[/[^.]\.(\w+)\z/, 1].to_s.downcase)
    refuse.(413, "This file is too large. Choose one of up to #{LARGEST >> 20} MiB.") if params[:bytes].to_i > LARGEST
    JSON.generate(url: Video.upload_link(account, name))
  end

  get "/teach" do
    teach_only
    erb :teach, locals: { sentence: nil, own: settings.lectures.list.select { |one| one.teacher == account.id } }
  end

  post "/teach" do
    teach_only
    title = params[:title].to_s.scrub("").strip
    refuse(400, "Give the lecture a title of up to 100 characters.") unless (1..100).cover?(title.length)
    refuse(400, "Choose between a file and a recording.") unless Lectures::KINDS.include?(params[:kind])
    made = settings.lectures.add(title: title, teacher: account.id, kind: params[:kind])
    redirect "/teach/#{made.id}", 303
  end

  # The edge's page for creators, in a frame. Each visit gets a new link with the same bounds.
  get "/teach/:id" do
    teach_only
    raise Sinatra::NotFound if lecture.teacher != account.id

    erb :teach_lecture, locals: { lecture: lecture, page: Video.creator_page(lecture) }
  end

  get "/lectures/:id" do
    log_in_to("watch “#{lecture.title}”")
    progress = progress_json(lecture)
    video = progress[:plays] ? Video.embed(Video.watch(lecture, account)) : nil
    erb :lecture, locals: { lecture: lecture, progress: progress, video: video }
  end

  get "/lectures/:id/link" do
    refuse(401, "Log in to watch “#{lecture.title}”.") unless account
    content_type :json
    Packaging.of(lecture) unless lecture.live? || lecture.object
    JSON.generate(link: Video.watch(lecture, account))
  end

  # The page asks again and again, and less often while nothing changes.
  get "/lectures/:id/status" do
    content_type :json
    halt 401, JSON.generate(sentence: "Log in to watch “#{lecture.title}”.") unless account
    JSON.generate(progress_json(lecture))
  end

  get("/error-pages") { erb :error_pages, locals: { video: nil, kind: nil } }

  get "/error-pages/:kind" do |kind|
    video = Video.wrong_link(kind) or raise Sinatra::NotFound
    erb :error_pages, locals: { video: video, kind: kind }
  end

  error Video::Unavailable do
    status 503
    erb :message, locals: { sentence: "The video server cannot be reached. Try again in a moment." }
  end

  error Video::Missing do
    status 404
    erb :message, locals: { sentence: "This lecture has not been published yet." }
  end

  not_found { erb :message, locals: { sentence: "This page does not exist." } }

  error { erb :message, locals: { sentence: "Something went wrong. Try again in a moment." } }
end
