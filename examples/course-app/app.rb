# frozen_string_literal: true

require "json"
require "sinatra/base"
# Escapes what templates print; without it `escape_html` would be passed over in silence.
require "erubi"
require_relative "accounts"
require_relative "attempts"
require_relative "catalogue"
require_relative "video"

# Wrong keys are told when the school opens, not when a student does.
Lectern.key_ids

class School < Sinatra::Base
  RECORDINGS = %w[mp4 mov webm mkv].freeze
  # MAX_UPLOAD_BYTES of the edge.
  LARGEST = 100 << 20
  # Each with why, which the edge's own sentence leaves out where it would help a forger.
  REFUSALS = {
    "missing_token" => ["A page without a link", "The page has the address alone: who may watch is given a link by the course."],
    "expired" => ["A link that is over", "Whoever opens the lesson again gets a new one."],
    "not_yet" => ["A link that opens in an hour", "A lesson that opens on a day says so in the course, and gives no link before."],
    "forbidden" => ["A link to another lesson", "A link opens the lesson that it was made for."],
    "tampered" => ["A link that somebody has changed", "The signature does not fit any more."],
    "not_found" => ["A link to a lecture that is not there", "It was removed, or has not been published yet."],
    "no_variant" => ["A link to fewer lines than the lecture has", "240 lines at most, and it begins at 480."],
    "no_preview" => ["A preview of a broadcast", "While it goes on, its first seconds are others at every moment."]
  }.freeze

  # Seconds after which a session needs a password again.
  SESSION_SECONDS = 86_400

  # Signed; and JSON, since a cookie is nothing to unmarshal. A school behind TLS gives it to no connection without.
  def self.cookie(origin)
    { coder: Rack::Session::Cookie::Base64::JSON.new, hmac: OpenSSL::Digest::SHA256, same_site: :lax, httponly: true,
      secure: origin.start_with?("https://") }
  end

  set :root, __dir__
  set :environment, :production
  set :erb, escape_html: true
  # A redirect names a path. An address would be that of the request's headers, which anybody can write.
  set :absolute_redirects, false
  set :attempts, LoginAttempts.new
  set :session_secret, ENV["SESSION_SECRET"] || SecureRandom.hex(64)
  set :sessions, cookie(ENV.fetch("SCHOOL_ORIGIN", "http://localhost:3000"))
  use Rack::Protection::AuthenticityToken, message: "This form is too old. Go back, load the page again and send it once more."

  helpers do
    def account
      return if Time.now.to_i - session[:since].to_i > SESSION_SECONDS

      @account ||= Account.find(session[:account])
    end

    def form_token = Rack::Protection::AuthenticityToken.token(session)
    def path_of(lesson) = "/lessons/#{lesson.course}/#{lesson.slug}"

    # A refusal, in words.
    def refuse(status, sentence)
      halt status, erb(:message, locals: { sentence: sentence })
    end

    def refuse_until_open
      refuse(403, "“#{lesson.title}” opens on #{day(lesson.opens)}.") unless lesson.open?
    end

    def day(time) = time.strftime("%-d %B %Y")

    # Afterwards, `to` is shown: a page, for a form leads to nothing of the edge's (form-action).
    def log_in_to(what, to: request.path_info)
      return if account

      session[:to] = to
      halt 401, erb(:login, locals: { sentence: "Log in to #{what}." })
    end

    def lesson
      Course.find(params[:course])&.lesson(params[:lesson]) or raise Sinatra::NotFound
    end

    # The address that the connection has, and not one that a header tells.
    def address = request.env["REMOTE_ADDR"].to_s

    # A name as objects have them, from one as files have them.
    def object_name(name)
      name.scrub("-").gsub(/[^A-Za-z0-9._-]/, "-").chars.last(100).join.delete_prefix(".")
    end

    # As many lines as the viewer asks for, and may have.
    def height
      asked = params[:height].to_s
      return if asked.empty?

      lines = Video::HEIGHTS.find { |height| height.to_s == asked } or
        refuse(400, "There is no such size: choose #{Video::HEIGHTS.join(", ")}.")
      account.trial? && lines > account.max_height and
        refuse(403, "A trial account plays up to #{account.max_height} lines. #{lines} lines need a full account.")
      lines
    end
  end

  before do
    headers "Content-Security-Policy" => "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " \
                                         "frame-src #{Video::PLAYER}; connect-src 'self' #{Video::HEALTH} #{Video::UPLOADS}; " \
                                         "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "Referrer-Policy" => "same-origin",
            # Pages have links in them.
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
      halt 401, erb(:login, locals: { sentence: "Name or password is wrong." })
    settings.attempts.give_back(name, address)
    to = session[:to]
    # A session from before is nobody's afterwards.
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
    video = account ? Video.watch(lesson, account, height) : Video.free(lesson)
    erb :lesson, locals: { lesson: lesson, video: video }
  end

  get "/lessons/:course/:lesson/download" do
    refuse_until_open
    log_in_to("take “#{lesson.title}” home", to: path_of(lesson))
    # The file has 720 lines, more than a trial account may see.
    refuse(403, "A trial account watches here. Taking a lecture home needs a full account.") if account.trial?
    redirect Video.download(lesson, account), 303
  end

  get "/upload" do
    log_in_to("hand in a recording")
    erb :upload, locals: { accepted: RECORDINGS.map { |ending| ".#{ending}" }.join(",") }
  end

  # The page asks before a byte is sent; the file itself goes to the edge and never comes here.
  post "/upload" do
    content_type :json
    refuse = ->(status, sentence) { halt status, JSON.generate(sentence: sentence) }
    refuse.(401, "Log in to hand in a recording.") unless account
    name = object_name(params[:name].to_s)
    refuse.(415, "Recordings only: #{RECORDINGS.join(", ")}.") unless RECORDINGS.include?(name[/[^.]\.(\w+)\z/, 1].to_s.downcase)
    refuse.(413, "The file is too large: #{LARGEST >> 20} MiB at most.") if params[:bytes].to_i > LARGEST
    JSON.generate(url: Video.hand_in(account, name))
  end

  get("/refusals") { erb :refusals, locals: { video: nil, kind: nil } }

  get "/refusals/:kind" do |kind|
    video = Video.refused(kind) or raise Sinatra::NotFound
    erb :refusals, locals: { video: video, kind: kind }
  end

  error Video::Unavailable do
    status 503
    erb :message, locals: { sentence: "The video server cannot be reached. Try again in a moment." }
  end

  error Video::Missing do
    status 404
    erb :message, locals: { sentence: "This lecture is not here yet. It will be, once it has been published." }
  end

  not_found { erb :message, locals: { sentence: "There is no such page." } }

  error { erb :message, locals: { sentence: "Something went wrong here. It has been noted." } }
end
