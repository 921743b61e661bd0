# frozen_string_literal: true

# The helpers and the initializer in a Rails app: ruby -Ilib test/rails_test.rb

require "logger"
require "minitest/autorun"
require "rails"
require "action_controller/railtie"
require "lectern/rails"
require "lectern/verify"
require "fileutils"
require "tmpdir"

KEYS = JSON.parse(File.read(File.expand_path("../../vectors.json", __dir__), encoding: "UTF-8")).fetch("keys")
ROOT = Dir.mktmpdir
FileUtils.mkdir_p(File.join(ROOT, "config/initializers"))
FileUtils.cp(File.expand_path("../initializer.rb", __dir__), File.join(ROOT, "config/initializers/lectern.rb"))
Minitest.after_run { FileUtils.rm_rf(ROOT) }
ENV.update("LECTERN_KEYS" => KEYS, "LECTERN_EDGE" => "https://video.school.example", "RAILS_ENV" => "production")

class School < Rails::Application
  config.root = ROOT
  config.eager_load = false
  config.secret_key_base = "0" * 64
  config.logger = Logger.new(nil)
  config.hosts.clear
  routes.append { get "/lessons/:id", to: "lessons#show" }
end
School.initialize!

class LessonsController < ActionController::Base
  def show
    @video = lectern_url("/courses/rails/#{params[:id]}/master.m3u8", viewer: "u42", expires_in: 6.hours, watch: 2.hours)
    render inline: "<video src=\"<%= @video %>\"></video><a href=\"<%= lectern_upload_url('/courses/rails/', expires_in: 5.minutes) %>\">"
  end
end

class RailsTest < Minitest::Test
  def page
    status, _, body = School.call(Rack::MockRequest.env_for("https://school.example/lessons/intro"))
    text = +""
    body.each { |part| text << part }
    assert_equal 200, status, text
    CGI.unescapeHTML(text)
  end

  def test_helpers_use_the_edge_and_the_keys_of_the_initializer
    claims = Lectern.verify(page[/src="([^"]*)"/, 1], url: "https://video.school.example/courses/rails/intro/master.m3u8")
    assert_equal ["u42", 7200, "play"], claims.values_at(:sub, :watch, :use)
    assert_in_delta Time.now.to_i + 6 * 3600, claims.fetch(:exp), 5
  end

  def test_an_upload_link_opens_a_folder
    claims = Lectern.verify(page[/href="([^"]*)"/, 1])
    assert_equal ["/courses/rails/", "upload"], claims.values_at(:path, :use)
  end

  def test_times_of_rails_are_accepted
    Time.zone = "Berlin"
    at = 1.hour.from_now
    claims = Lectern.verify(Lectern.link("https://h/a", expires_at: at, not_before: Time.current))
    assert_equal at.to_i, claims.fetch(:exp)
  end

  def test_an_app_with_wrong_keys_does_not_boot
    program = "require 'rails'; require 'lectern/rails'; class A < Rails::Application; config.eager_load = false; end; A.initialize!"
    said = IO.popen([{ "LECTERN_KEYS" => "[{\"kid\":\"a\",\"secret\":\"AAAA\"}]" }, RbConfig.ruby, "-I", $LOAD_PATH.find { |path| path.end_with?("lib") && File.exist?("#{path}/lectern.rb") },
                     "-r", "logger", "-e", program, { chdir: ROOT, err: %i[child out] }], &:read)
    refute_predicate $?, :success?
    assert_match(/the secret of `a` has 3 bytes; it needs 32 to 1024/, said)
  end
end
