# frozen_string_literal: true

# Tests of the school without an edge: the pages' texts, and the links in them.
ENV["LECTERN_EDGE"] = "https://video.school.example"
ENV["LECTERN_KEYS"] = '[{"kid":"k","secret":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]'

require "minitest/autorun"
require "objspace"
require "minitest/mock"
require "rack/test"
require_relative "../app"
require_relative "../../../sdk/ruby/lib/lectern/verify"

class SchoolTest < Minitest::Test
  include Rack::Test::Methods

  PASSWORDS = { "ada" => "full-of-lessons", "tom" => "only-trying", "ruth" => "plenty-of-chalk" }.freeze

  def app = School

  def setup
    env("rack.errors", StringIO.new)
    School.set :attempts, LoginAttempts.new
    School.set :lectures, Lectures.new
  end

  def page(path)
    get path
    last_response.body
  end

  def token = last_response.body[/name="authenticity_token" value="([^"]+)"/, 1]

  def log_in(name, password = PASSWORDS[name])
    page "/login"
    post "/login", name: name, password: password, authenticity_token: token
  end

  # The claims of the link in a page's frame.
  def claims(html) = Lectern.verify(html[%r{<iframe src="https://video\.school\.example/_lectern/play#([^"]+)"}, 1])

  def submit(fields)
    page "/upload"
    header "X-CSRF-Token", token
    post "/upload", fields
    JSON.parse(last_response.body)
  end

  def test_a_preview_opens_for_everybody_and_shows_its_first_seconds
    claims = claims(page("/lessons/rails/intro"))
    assert_equal [[0, 8], 480, "/courses/rails/intro/master.m3u8"], claims.values_at(:preview, :max_height, :path)
    refute claims.key?(:sub)
  end

  def test_every_other_lesson_needs_a_login_which_leads_back_to_it
    assert_includes page("/lessons/video/segments"), "Log in to watch “Why video comes in segments”."
    assert_equal 401, last_response.status
    log_in "ada"
    assert_equal "/lessons/video/segments", last_response["Location"]
    claims = claims(page("/lessons/video/segments"))
    assert_equal ["u1", nil, nil], claims.values_at(:sub, :max_height, :preview)
    assert_operator claims[:exp], :<=, Time.now.to_i + 600
  end

  def test_a_player_whose_link_ends_gets_a_new_one_for_the_same_lesson
    link = ->(path) { JSON.parse(page(path)).fetch("link") }
    preview = Lectern.verify(link.("/lessons/rails/intro/link?height=720"))
    assert_equal [[0, 8], "/courses/rails/intro/master.m3u8"], preview.values_at(:preview, :path)
    page "/lessons/video/segments/link"
    assert_equal 401, last_response.status
    log_in "tom"
    assert_includes page("/lessons/rails/models?height=480"), 'data-renew-url="/lessons/rails/models/link?height=480"'
    assert_equal ["u2", 480], Lectern.verify(link.("/lessons/rails/models/link?height=480")).values_at(:sub, :max_height)
    page "/lessons/rails/models/link?height=1080"
    assert_equal 403, last_response.status
    page "/lessons/rails/jobs/link"
    assert_equal 403, last_response.status
  end

  def test_who_logs_in_to_download_comes_to_the_lesson_since_a_form_leads_to_no_other_origin
    assert_includes page("/lessons/rails/models/download"), "Log in to download “Models and the database”."
    log_in "ada"
    assert_equal "/lessons/rails/models", last_response["Location"]
  end

  def test_a_trial_account_gets_no_link_to_more_than_480p
    log_in "tom"
    ["", "?height=", "?height=480"].each { |query| assert_equal 480, claims(page("/lessons/rails/models#{query}"))[:max_height], query }
    %w[720 1080].each do |height|
      assert_includes page("/lessons/rails/models?height=#{height}"), "Your trial account plays up to 480p. A full account plays #{height}p."
      assert_equal 403, last_response.status
    end
    assert_includes page("/lessons/rails/models/download"), "A full account downloads them."
    assert_equal 403, last_response.status
  end

  def test_a_lesson_that_opens_on_a_day_says_so_and_gives_no_link_before
    assert_match %r{Background jobs</a>\s+<span class="badge">Opens on 1 January 2030</span>}, page("/")
    log_in "ada"
    ["", "/download"].each do |what|
      refute_includes page("/lessons/rails/jobs#{what}"), "token="
      assert_includes last_response.body, "“Background jobs” opens on 1 January 2030."
      assert_equal 403, last_response.status
    end
    Time.stub(:now, Time.utc(2030, 1, 1)) do
      log_in "ada"
      assert_includes page("/lessons/rails/jobs"), "<iframe"
    end
  end

  def test_every_error_page_shows_a_link_and_says_why
    School::ERROR_PAGES.each do |kind, (_, why)|
      assert_match %r{<iframe src="https://video\.school\.example/_lectern/play#https://[^"]+/master\.m3u8(\?token=[^"]+)?"}, page("/error-pages/#{kind}"), kind
      assert_includes last_response.body, Rack::Utils.escape_html(why), kind
    end
    link = page("/error-pages/tampered")[/play#([^"]+)"/, 1]
    assert_equal "bad_signature", assert_raises(Lectern::Error) { Lectern.verify(link) }.code
  end

  LETTERS = [*"A".."Z", *"a".."z", *"0".."9", "-", "_"].freeze

  # Tokens that the school signed and whose signature has at most one other letter.
  def signed_neighbours(token)
    head, signature = token.match(/\A(.*\.)([^.]+)\z/).captures
    secret = "0123456789abcdef0123456789abcdef"
    right = Base64.urlsafe_encode64(OpenSSL::HMAC.digest("SHA256", secret, head.chomp(".")), padding: false)
    tried = signature.length.times.flat_map { |at| LETTERS.map { |letter| signature.dup.tap { |one| one[at] = letter } } }
    tried.include?(right) ? [head + right] : []
  end

  def test_no_link_of_an_error_page_opens_a_lesson_at_any_time_or_after_a_guess
    lessons = COURSES.flat_map(&:lessons)
    School::ERROR_PAGES.each_key do |kind|
      link = page("/error-pages/#{kind}")[/<iframe src="[^"#]*#([^"]+)"/, 1]
      lessons.each { |lesson| refute_includes link, lesson.folder, kind }
      token = link[/token=(.+)/, 1] or next
      signed_neighbours(token).each do |signed|
        claims = JSON.parse(Base64.urlsafe_decode64(signed.split(".")[1]))
        assert claims["path"].start_with?("/samples/"), "#{kind}: #{claims}"
      end
    end
    lessons.each { |lesson| refute lesson.folder.start_with?("/samples/"), lesson.folder }
  end

  def test_redirects_stay_at_the_school_whatever_the_headers_say
    forwarded = {
      "HTTP_X_FORWARDED_HOST" => "evil.example", "HTTP_FORWARDED" => "host=evil.example", "HTTP_X_FORWARDED_SERVER" => "evil.example",
      "HTTP_X_FORWARDED_PORT" => "444", "HTTP_HOST" => "evil.example"
    }
    forwarded.each do |name, value|
      clear_cookies
      get "/login", {}, { name => value }
      post "/login", { name: "ada", password: PASSWORDS["ada"], authenticity_token: token }, { name => value }
      assert_equal [303, "/"], [last_response.status, last_response["Location"]], name
      get "/", {}, { name => value }
      refute_includes last_response.body, "evil.example", name
      post "/logout", { authenticity_token: token }, { name => value }
      assert_equal [303, "/"], [last_response.status, last_response["Location"]], name
    end
  end

  def test_a_login_leads_to_a_page_of_the_school_alone
    ["//evil.example/lessons/rails/models", "///evil.example/upload", "/%5Cevil.example/upload", "/upload//evil.example", "/upload?to=//evil.example"].each do |path|
      clear_cookies
      get "/"
      get path
      log_in "ada"
      assert_includes ["/", "/upload", "/lessons/rails/models"], last_response["Location"], path
    end
  end

  def try(name, password, address: "192.0.2.1")
    clear_cookies
    get "/login", {}, { "REMOTE_ADDR" => address }
    post "/login", { name: name, password: password, authenticity_token: token }, { "REMOTE_ADDR" => address }
    last_response.status
  end

  def test_wrong_passwords_of_an_account_are_bounded_from_all_addresses_together
    statuses = Array.new(12) { |at| try("ada", "wrong", address: "192.0.2.#{at}") }
    assert_equal [401] * 10 + [429] * 2, statuses
    assert_includes last_response.body, "Too many wrong passwords. Try again in 15 minutes."
    assert_includes 1..900, last_response["Retry-After"].to_i
    # The right password too, or the answer would confirm a guess.
    assert_equal 429, try("ada", PASSWORDS["ada"], address: "198.51.100.7")
    assert_equal 303, try("tom", PASSWORDS["tom"])
  end

  def test_a_name_without_an_account_is_bounded_in_the_same_words
    statuses = Array.new(11) { try("nobody", "wrong") }
    assert_equal [401] * 10 + [429], statuses
    assert_includes last_response.body, "Too many wrong passwords. Try again in 15 minutes."
  end

  def test_wrong_passwords_of_an_address_are_bounded_over_all_names
    Account.stub(:log_in, nil) do
      addresses = { "192.0.2.1" => "192.0.2.1", "2001:db8::1" => "2001:db8::ffff" }
      addresses.each do |first, last|
        assert_equal [401] * 100, Array.new(100) { |at| try("name-#{at}", "x", address: first) }
        assert_equal 429, try("another", "x", address: last)
        assert_equal 401, try("another-#{first}", "x", address: "198.51.100.7")
      end
    end
  end

  def test_a_forwarded_address_is_no_other_address
    100.times { |at| School.settings.attempts.take("name-#{at}", "127.0.0.1") }
    get "/login"
    post "/login", { name: "tom", password: PASSWORDS["tom"], authenticity_token: token }, { "HTTP_X_FORWARDED_FOR" => "203.0.113.9" }
    assert_equal 429, last_response.status
  end

  def test_right_passwords_use_up_no_attempts_and_give_back_no_wrong_ones
    right = Account.find("u2")
    Account.stub(:log_in, ->(_, password) { right if password == "right" }) do
      200.times { assert_equal 303, try("tom", "right") }
      statuses = Array.new(10) { [try("tom", "right"), try("tom", "wrong")] }
      assert_equal [[303, 401]] * 10, statuses
      assert_equal 429, try("tom", "right")
    end
  end

  def test_attempts_come_back_with_time_and_take_no_more_memory
    now = 0
    attempts = LoginAttempts.new(clock: -> { now })
    assert_nil attempts.take("ada", "a") while attempts.take("ada", "b").nil?
    assert_equal 900, attempts.take("ada", "c")
    before = ObjectSpace.memsize_of(attempts.instance_variable_get(:@accounts))
    20_000.times { |at| attempts.take("name-#{at}", "address-#{at}") }
    # No later name has evicted it.
    assert_equal 900, attempts.take("ada", "c")
    assert_equal before, ObjectSpace.memsize_of(attempts.instance_variable_get(:@accounts))
    now = 900
    assert_nil attempts.take("ada", "c")
  end

  def test_attempts_at_the_same_moment_are_counted_each
    attempts = LoginAttempts.new
    taken = Array.new(40) { Thread.new { attempts.take("ada", "a") } }.map(&:value)
    assert_equal 10, taken.count(nil)
  end

  def test_a_session_begins_anew_at_login_and_ends_after_a_day
    page "/login"
    before = rack_mock_session.cookie_jar["rack.session"]
    log_in "ada"
    after = rack_mock_session.cookie_jar["rack.session"]
    refute_equal before, after
    clear_cookies
    set_cookie "rack.session=#{Rack::Utils.escape(before)}"
    assert_includes page("/lessons/rails/models"), "Log in to watch"
    clear_cookies
    set_cookie "rack.session=#{Rack::Utils.escape(after)}"
    assert_includes page("/lessons/rails/models"), "<iframe"
    Time.stub(:now, Time.now + 86_401) { assert_includes page("/lessons/rails/models"), "Log in to watch" }
  end

  def test_a_school_behind_tls_gives_its_cookie_to_tls_alone
    secure = Class.new(School) { set :sessions, School.cookie("https://school.example") }
    answer = Rack::MockRequest.new(secure).get("https://school.example/login")
    assert_match(/; secure; HttpOnly; SameSite=Lax\z/i, answer["Set-Cookie"])
    refute_match(/secure/i, Rack::MockRequest.new(School).get("/login")["Set-Cookie"])
  end

  def test_a_full_account_chooses_among_the_sizes_that_there_are
    log_in "ada"
    assert_equal 720, claims(page("/lessons/rails/models?height=720"))[:max_height]
    assert_includes page("/lessons/rails/models?height=%22%3E%3Cb%3E"), "This quality does not exist. Choose 480p, 720p, 1080p."
    assert_equal 400, last_response.status
  end

  def test_a_wrong_name_and_a_wrong_password_are_told_in_the_same_words
    [%w[ada only-trying], ["nobody", "x"], ["", ""]].each do |name, password|
      log_in name, password
      assert_equal 401, last_response.status
      assert_includes last_response.body, "Wrong name or password."
    end
    assert_includes page("/lessons/rails/models"), "Log in to watch"
  end

  def test_a_form_without_its_token_does_nothing
    post "/login", name: "ada", password: PASSWORDS["ada"]
    assert_equal [403, "This form has expired. Go back, reload the page and send it again."],
                 [last_response.status, last_response.body]
    log_in "ada"
    post "/upload", name: "talk.mp4", bytes: 1
    assert_equal 403, last_response.status
    post "/logout"
    assert_includes page("/"), "Log out ada"
  end

  def test_who_has_logged_out_is_out
    log_in "ada"
    page "/"
    post "/logout", authenticity_token: token
    assert_includes page("/lessons/rails/models"), "Log in to watch"
  end

  def test_a_cookie_that_somebody_wrote_is_nobodys
    forged = [JSON.generate(session_id: "0" * 64, account: "u1")].pack("m0")
    ["#{forged}--#{"0" * 64}", forged].each do |cookie|
      clear_cookies
      set_cookie "rack.session=#{Rack::Utils.escape(cookie)}"
      assert_includes page("/lessons/rails/models"), "Log in to watch"
    end
  end

  def test_an_upload_link_opens_one_object_of_the_viewers_own_and_reads_nothing
    log_in "ada"
    links = Array.new(2) { submit(name: "mein Vortrag é.MP4", bytes: 1000).fetch("url") }
    paths = links.map do |link|
      assert_match %r{/mein-Vortrag--\.MP4\?token=}, link
      claims = Lectern.verify(link)
      assert_equal %w[upload u1], claims.values_at(:use, :sub)
      assert_operator claims[:exp], :<=, Time.now.to_i + 600
      claims[:path]
    end
    paths.each { |path| assert_match %r{\A/uploads/u1/\d{8}-\d{6}-\h{8}/mein-Vortrag--\.MP4\z}, path }
    refute_equal(*paths)
  end

  def test_no_upload_link_is_given_for_what_is_no_recording_is_too_large_or_comes_from_nobody
    assert_includes page("/upload"), "Log in to submit a recording."
    log_in "ada"
    ["notes.pdf", "mp4", ".mp4", "..mp4", "", "a.mp4.exe", "../../a/.mp4\n"].each do |name|
      assert_equal({ "sentence" => "This file is not a recording. Choose one of these types: mp4, mov, webm, mkv." }, submit(name: name, bytes: 1), name)
      assert_equal 415, last_response.status
    end
    assert_equal({ "sentence" => "This file is too large. Choose one of up to 100 MiB." }, submit(name: "a.mp4", bytes: (100 << 20) + 1))
    assert_equal 413, last_response.status
    path = URI(submit(name: "../../u2/a.mp4", bytes: 1).fetch("url")).path
    assert_match %r{\A/uploads/u1/[^/]+/[^/]+\z}, path
  end

  # Makes a lecture as a teacher, and returns it.
  def teach(kind, title = "Rails & rivers")
    log_in "ruth"
    page "/teach"
    post "/teach", title: title, kind: kind, authenticity_token: token
    assert_equal 303, last_response.status, last_response.body
    lecture = School.settings.lectures.list.first
    assert_equal "/teach/#{lecture.id}", last_response["Location"]
    lecture
  end

  Answer = Struct.new(:body, :code)

  # An edge that has these objects: texts by path. Its list is below `?as=list`.
  def with_edge(objects)
    get = lambda do |uri|
      path, query = uri.split("?", 2)
      claims = Lectern.verify("https://video.school.example#{path}?#{query.delete_suffix("&as=list")}")
      assert_operator claims[:exp], :<=, Time.now.to_i + 60
      is_list = query.end_with?("&as=list")
      assert_equal(is_list ? "admin" : path.end_with?(".json") ? "upload" : "play", claims[:use])
      next Answer.new(JSON.generate(objects: objects.fetch(path)), "200") if is_list

      objects.key?(path) ? Answer.new(objects[path].dup, "200") : Answer.new("{}", "404")
    end
    http = Struct.new(:get_it) { def get(uri) = get_it.call(uri) }.new(get)
    Net::HTTP.stub(:start, ->(*, **, &block) { block.call(http) }) { yield }
  end

  def listed(*names, at: 1_800_000_000) = names.map { |name| { key: name.delete_prefix("/"), uploaded: at * 1000 } }
  def status(state, **more) = JSON.generate({ state: state, percent: 40, rungs: [], updated: 1_800_000_000 }.merge(more))
  def progress_of(lecture) = JSON.parse(page("/lectures/#{lecture.id}/status"), symbolize_names: true)

  def test_only_a_teacher_gets_a_link_to_submit_or_record_a_lecture_and_it_is_bounded
    { "file" => ["studio", %w[video audio], 3600], "live" => ["record", %w[hls], 4 * 3600] }.each do |kind, (creator, types, seconds)|
      lecture = teach(kind)
      frame = page("/teach/#{lecture.id}")[%r{<iframe class="tool" (?:src|data-recorder)="https://video\.school\.example/_lectern/#{creator}#([^"]+)"}, 1]
      claims = Lectern.verify(frame)
      assert_equal [lecture.root, "upload", "u3", "lecture-#{lecture.id}", types], claims.values_at(:path, :use, :sub, :jti, :types)
      assert_operator claims[:max_bytes], :<=, 8 << 30
      assert_operator claims[:max_objects], :<=, 8000
      assert_operator claims[:exp], :<=, Time.now.to_i + seconds
      assert_includes last_response.body, "Rails &amp; rivers"
      clear_cookies
      assert_includes page("/teach"), "Log in to teach."
      log_in "ada"
      ["/teach", "/teach/#{lecture.id}"].each do |path|
        refute_includes page(path), "token="
        assert_equal 403, last_response.status
      end
      clear_cookies
    end
  end

  def test_a_lecture_of_nobody_and_one_without_a_title_are_refused_in_words
    log_in "ruth"
    assert_includes page("/teach/0"), "This page does not exist."
    assert_includes page("/lectures/0"), "This page does not exist."
    page "/teach"
    { { title: " ", kind: "file" } => "Give the lecture a title", { title: "a" * 101, kind: "file" } => "Give the lecture a title",
      { title: "a", kind: "x" } => "Choose between a file and a recording." }.each do |fields, sentence|
      page "/teach"
      post "/teach", fields.merge(authenticity_token: token)
      assert_equal 400, last_response.status
      assert_includes last_response.body, sentence
    end
    assert_empty School.settings.lectures.list
  end

  def test_the_school_remembers_a_bounded_number_of_lectures
    lectures = Lectures.new
    made = Array.new(101) { |at| lectures.add(title: at.to_s, teacher: "u3", kind: "file") }
    assert_nil lectures.find(made.first.id)
    assert_equal %w[100 99], lectures.list.first(2).map(&:title)
  end

  def test_a_submitted_lecture_is_followed_from_its_upload_to_its_largest_size
    lecture = teach("file")
    root = lecture.root
    file, file_status = "#{root}mein talk.mp4", "#{root}mein%20talk.mp4.status.json"
    told = lambda do |objects|
      with_edge({ root => [] }.merge(objects)) { progress_of(lecture) }
    end
    assert_equal({ sentence: "The recording has not been submitted yet.", plays: false, over: false, bar: false, percent: nil }, told.({}))
    stored = { root => listed(file, "#{file}.status.json", "#{root}v/x/480p/seg00000.m4s") }
    waits = "The recording is stored, and waits to be packaged."
    assert_equal({ sentence: waits, plays: false, over: false, bar: true, percent: nil }, told.(stored))
    # Of an earlier upload with this name.
    assert_equal waits, told.(stored.merge(file_status => status("failed", updated: 1_799_999_999)))[:sentence]
    { status("packaging") => ["The lecture is being packaged.", false, false, 40],
      status("playing", rungs: ["480p"]) => ["The lecture plays in up to 480p. More sizes follow.", true, false, 40],
      status("playing") => ["The lecture plays. More sizes follow.", true, false, 40],
      status("done", rungs: %w[480p 1080p 720p]) => ["The lecture is ready, in up to 1080p.", true, true, nil],
      "no JSON" => [waits, false, false, nil], status("sleeping") => [waits, false, false, nil] }.each do |json, expected|
      assert_equal expected, told.(stored.merge(file_status => json)).values_at(:sentence, :plays, :over, :percent), json
    end
    with_edge(stored.merge(file_status => status("done", rungs: ["1080p"]))) do
      claims = claims(page("/lectures/#{lecture.id}"))
      assert_equal ["#{root}mein talk/master.m3u8", "u3"], claims.values_at(:path, :sub)
      assert_includes last_response.body, "data-plays data-over"
    end
  end

  def test_why_a_lecture_failed_is_told_to_its_teacher_alone_who_submits_another_file
    lecture = teach("file")
    root = lecture.root
    failed = status("failed", error: { code: "no_media", text: "It has no video." })
    objects = { root => listed("#{root}a.mp4"), "#{root}a.mp4.status.json" => failed }
    with_edge(objects) do
      assert_equal ["The lecture could not be packaged. It has no video.", true], progress_of(lecture).values_at(:sentence, :over)
      log_in "ada"
      assert_equal "The lecture could not be packaged.", progress_of(lecture)[:sentence]
    end
    # The queue repeats the job: the page goes on asking.
    again = objects.merge("#{root}a.mp4.status.json" => status("waiting", error: { text: "It is tried again." }))
    with_edge(again) { assert_equal [false, true], progress_of(lecture).values_at(:over, :bar) }
    second = objects.merge(root => listed("#{root}a.mp4") + listed("#{root}b.mov", at: 1_800_000_100))
    with_edge(second) { assert_equal "The recording is stored, and waits to be packaged.", progress_of(lecture)[:sentence] }
    assert_equal "#{root}b/", lecture.folder
  end

  def test_a_recorded_lecture_plays_while_it_is_recorded
    lecture = teach("live")
    root = lecture.root
    with_edge({}) do
      assert_equal ["The lecture has not begun yet.", false], progress_of(lecture).values_at(:sentence, :plays)
      refute_includes page("/lectures/#{lecture.id}"), "<iframe"
    end
    clear_cookies
    log_in "tom"
    master = { "#{root}master.m3u8" => "#EXTM3U" }
    with_edge(master) do
      claims = claims(page("/lectures/#{lecture.id}"))
      assert_equal ["#{root}master.m3u8", "u2", 480], claims.values_at(:path, :sub, :max_height)
      assert_includes last_response.body, "The lecture plays while it is recorded."
      link = JSON.parse(page("/lectures/#{lecture.id}/link")).fetch("link")
      assert_equal "#{root}master.m3u8", Lectern.verify(link)[:path]
    end
    { status("waiting") => ["The lecture plays as it was recorded. Its other sizes wait to be packaged.", true, false],
      status("packaging") => ["The lecture plays as it was recorded. Its other sizes are being packaged.", true, false],
      status("playing", rungs: ["240p"]) => ["The lecture plays in up to 240p. More sizes follow.", true, false],
      status("done", rungs: ["720p"]) => ["The lecture is ready, in up to 720p.", true, true],
      status("failed", error: { text: "No." }) => ["The lecture plays as it was recorded. Its other sizes could not be packaged.", true, true] }.each do |json, expected|
      with_edge(master.merge("#{root}status.json" => json)) do
        assert_equal expected, progress_of(lecture).values_at(:sentence, :plays, :over), json
      end
    end
    clear_cookies
    %w[/status /link].each do |more|
      refute_includes page("/lectures/#{lecture.id}#{more}"), "token="
      assert_equal 401, last_response.status
    end
    assert_includes page("/lectures/#{lecture.id}"), "Log in to watch “Rails &amp; rivers”."
  end

  def test_a_lecture_while_the_edge_is_down_says_so
    lecture = teach("live")
    refused = ->(*, **) { raise Errno::ECONNREFUSED }
    Net::HTTP.stub(:start, refused) do
      assert_includes page("/lectures/#{lecture.id}"), "The video server cannot be reached."
      page "/lectures/#{lecture.id}/status"
      assert_equal 503, last_response.status
    end
  end

  def test_pages_run_no_script_of_others_and_are_kept_by_nobody
    page "/"
    policy = last_response["Content-Security-Policy"]
    assert_includes policy, "default-src 'none'; script-src 'self' https://video.school.example/_lectern/embed.js;"
    assert_includes policy, "frame-src https://video.school.example/_lectern/play https://video.school.example/_lectern/studio https://video.school.example/_lectern/record;"
    assert_includes policy, "connect-src 'self' https://video.school.example/_lectern/health https://video.school.example/uploads/;"
    refute_includes policy, "unsafe"
    assert_equal "no-store", last_response["Cache-Control"]
    assert_match(/; HttpOnly; SameSite=Lax\z/i, last_response["Set-Cookie"])
  end

  def test_no_page_has_a_key_in_it
    log_in "ada"
    %w[/ /login /lessons/rails/intro /upload /error-pages /error-pages/expired /nowhere].each do |path|
      refute_match(/MDEyMzQ1|"secret"|LECTERN_KEYS/, page(path), path)
    end
  end

  def test_a_page_that_is_not_there_says_so
    %w[/nowhere /lessons/rails/none /lessons/none/intro /error-pages/none].each do |path|
      assert_includes page(path), "This page does not exist.", path
      assert_equal 404, last_response.status, path
    end
  end

  def test_a_download_while_the_edge_is_down_says_so
    log_in "ada"
    refused = ->(*, **) { raise Errno::ECONNREFUSED }
    Net::HTTP.stub(:start, refused) { assert_includes page("/lessons/rails/models/download"), "The video server cannot be reached." }
    assert_equal 503, last_response.status
  end

  def test_a_download_of_what_is_not_published_says_so
    log_in "ada"
    answer = Struct.new(:body, :code).new('{"code":"not_found"}', "404")
    Net::HTTP.stub(:start, ->(*, **) { answer }) { assert_includes page("/lessons/rails/models/download"), "This lecture has not been published yet." }
    assert_equal 404, last_response.status
  end

  def test_a_download_is_of_the_revision_that_plays_now
    log_in "ada"
    playlist = "#EXTM3U\n#EXT-X-MEDIA:URI=\"v/036cfb2300534543/audio/und/playlist.m3u8?p=EN1\"\nv/036cfb2300534543/480p/playlist.m3u8?p=EN1\n"
    answer = Struct.new(:body, :code).new(playlist, "200")
    Net::HTTP.stub(:start, ->(*, **) { answer }) { page("/lessons/rails/models/download") }
    assert_equal 303, last_response.status
    claims = Lectern.verify(last_response["Location"])
    assert_equal ["/courses/rails/models/v/036cfb2300534543/lecture.mp4", "download", "u1"], claims.values_at(:path, :use, :sub)
  end
end
