# frozen_string_literal: true

# sdk/vectors.json, and cases that JSON cannot express: ruby -Ilib test/vectors_test.rb

require "date"
require "minitest/autorun"
require "lectern"
require "lectern/verify"
require "lectern/rails"

class VectorsTest < Minitest::Test
  VECTORS = JSON.parse(File.read(File.expand_path("../../vectors.json", __dir__), encoding: "UTF-8"))
  KEYS = VECTORS.fetch("keys")

  def each(list)
    VECTORS.fetch(list).each do |vector|
      yield vector, { keys: KEYS }.merge(vector.slice("now", "max_link_age", "max_watch").transform_keys(&:to_sym))
    end
  end

  def refused(vector)
    error = assert_raises(Lectern::Error, vector.to_s) { yield }
    assert_equal vector["error"], error.code, "#{vector}: #{error.message}"
    refute_empty error.message
  end

  def call(vector, options)
    Lectern.public_send(vector["call"], vector["url"], **options, **options_of(vector))
  end

  def options_of(vector)
    vector.fetch("options", {}).transform_keys(&:to_sym)
  end

  def test_mint_returns_the_token_of_the_edge
    each("mint") { |vector, options| assert_equal vector["token"], Lectern.mint(vector["claims"], **options), vector["name"] }
  end

  def test_link_returns_the_link_of_the_edge
    each("link") { |vector, options| assert_equal vector["link"], call(vector, options), vector["name"] }
  end

  def test_embed_url_returns_the_page_of_the_edge
    each("embed") { |vector, options| assert_equal vector["link"], call(vector, options), vector["name"] }
  end

  def test_verify_returns_the_claims_of_a_token
    each("verify") do |vector, options|
      expected = { "use" => "play" }.merge(vector["claims"])
      found = Lectern.verify(vector["token"], url: vector["url"], **options)
      assert_equal expected, found.transform_keys(&:to_s), vector["name"]
    end
  end

  def test_mint_refuses_claims_that_open_nothing
    each("refused_claims") { |vector, options| refused(vector) { Lectern.mint(vector["claims"], **options) } }
  end

  def test_link_refuses_a_wrong_url
    each("refused_links") { |vector, options| refused(vector) { call(vector, options) } }
  end

  def test_verify_refuses_a_token_that_opens_nothing
    each("refused_tokens") { |vector, options| refused(vector) { Lectern.verify(vector["token"], url: vector["url"], **options, **options_of(vector)) } }
  end

  def test_key_ids_refuses_wrong_keys
    each("refused_keys") { |vector, _| refused(vector) { Lectern.key_ids(vector["keys"]) } }
    refused("error" => "no_keys") { Lectern.key_ids(" ") }
    assert_equal ["2026-11", "old._-"], Lectern.key_ids(KEYS)
  end

  def test_every_link_opens_its_own_url
    each("link") { |vector, options| assert Lectern.verify(vector["link"], **options), vector["name"] }
  end

  def test_keys_come_from_the_environment
    ENV["LECTERN_KEYS"] = KEYS
    link = Lectern.link("https://h/a", expires_at: Time.now + 60)
    assert_operator Lectern.verify(link, keys: nil, now: nil).fetch(:exp), :<=, Time.now.to_i + 60
  ensure
    ENV.delete("LECTERN_KEYS")
  end

  def test_an_invalid_time_is_refused
    expired = Lectern.mint({ path: "/a", exp: 60 }, keys: KEYS, now: 0)
    ["abc", "1", Float::NAN, Float::INFINITY, -1, 2**53, true, false, [], {}, Object.new].each do |none|
      options = [{ now: none }, { now: 1000, max_link_age: none }, { now: 1000, max_watch: none }]
      refused("error" => "bad_option") { Lectern.verify(expired, keys: KEYS, now: none) }
      refused("error" => "bad_option") { Lectern.verify(expired, keys: KEYS, now: 1000, max_link_age: none) }
      options.each do |edge|
        refused("error" => "bad_option") { Lectern.mint({ path: "/a", exp: 2000 }, keys: KEYS, **edge) }
        refused("error" => "bad_option") { Lectern.link("https://h/a", keys: KEYS, **edge) }
      end
    end
    [61, 61.5, Time.at(61), Time.at(61).to_datetime].each do |now|
      refused("error" => "expired") { Lectern.verify(expired, keys: KEYS, now: now) }
    end
    at = Time.at(60)
    [at, at.to_datetime].each { |now| assert_equal 60, Lectern.verify(expired, keys: KEYS, now: now).fetch(:exp) }
    link = Lectern.link("https://h/a", keys: KEYS, now: at.to_datetime, expires_at: (at + 60).to_datetime, not_before: at.to_datetime)
    assert_equal [120, 60], Lectern.verify(link, keys: KEYS, now: at).values_at(:exp, :nbf)
  end

  def test_a_claim_given_twice_is_refused
    claims = { :path => "/free/", "path" => "/paid/", :exp => 60 }
    refused("error" => "duplicate_claim") { Lectern.mint(claims, keys: KEYS, now: 0) }
    refused("error" => "duplicate_claim") { Lectern.mint(claims.merge("path" => nil), keys: KEYS, now: 0) }
    assert Lectern.mint({ :path => "/free/", "exp" => 60 }, keys: KEYS, now: 0)
  end

  def test_a_misspelt_option_is_refused
    %i[link upload_link].each do |call|
      error = assert_raises(ArgumentError) { Lectern.public_send(call, "https://h/a/", maxHeight: 480, keys: KEYS) }
      assert_match(/unknown keyword: :maxHeight/, error.message)
    end
    %i[upload_link embed_url poster_url download_url].each do |call|
      assert_raises(ArgumentError) { Lectern.public_send(call, "https://h/a/", use: "play", keys: KEYS) }
    end
    %i[poster_url download_url].each do |call|
      assert_raises(ArgumentError) { Lectern.public_send(call, "https://h/a/", directory: true, keys: KEYS) }
    end
  end

  def test_missing_and_huge_values_are_refused
    [nil, 42, :a, []].each { |token| refused("error" => "malformed") { Lectern.verify(token, keys: KEYS) } }
    refused("error" => "path_not_absolute") { Lectern.mint(nil, keys: KEYS) }
    refused("error" => "bad_keys") { Lectern.key_ids("\xFF") }
    refused("error" => "key_too_long") { Lectern.key_ids(JSON.generate([{ kid: "k", secret: "a" * 400_000 }])) }
    refused("error" => "link_too_long") { Lectern.link("https://h/a", langs: ["a#{"-a" * 200_000}"], keys: KEYS) }
  end

  def test_text_may_have_another_encoding
    latin = "J\xFCrgen".dup.force_encoding("ISO-8859-1")
    token = Lectern.mint({ path: "/a", exp: 60, sub: latin }, keys: KEYS, now: 0)
    assert_equal "Jürgen", Lectern.verify(token, keys: KEYS, now: 0).fetch(:sub)
    refused("error" => "bad_sub") { Lectern.mint({ path: "/a", exp: 60, sub: "\xFF" }, keys: KEYS, now: 0) }
  end

  def test_the_default_of_a_hash_is_no_claim
    defaults = { "use" => "admin", use: "admin", "path" => "/other/", path: "/other/", "watch" => 1, "sessions" => 2 }
    claims = Hash.new { |_, name| defaults[name] }.merge("path" => "/a/", "exp" => 60)
    plain = Lectern.mint({ path: "/a/", exp: 60 }, keys: KEYS, now: 0)
    assert_equal plain, Lectern.mint(claims, keys: KEYS, now: 0)
    claims.delete("path")
    refused("error" => "path_not_absolute") { Lectern.mint(claims, keys: KEYS, now: 0) }
  end

  def test_the_rails_helper_links_to_a_path_of_the_edge
    view = Object.new.extend(Lectern::Helper)
    assert_equal "no_edge", assert_raises(Lectern::Error) { view.lectern_url("/a/m.m3u8") }.code
    Lectern::Rails.config = { edge: "https://video.school.example/", keys: KEYS, max_link_age: 3600 }
    link = view.lectern_url("/a/m.m3u8", viewer: "s42", expires_in: 60)
    assert_match %r{\Ahttps://video\.school\.example/a/m\.m3u8\?token=}, link
    assert_equal "s42", Lectern.verify(link, keys: KEYS).fetch(:sub)
    page = view.lectern_embed_url("/a/", viewer: "s42", expires_in: 60)
    assert_match %r{\Ahttps://video\.school\.example/_lectern/play#https://video\.school\.example/a/master\.m3u8\?token=}, page
    assert_equal "/a/poster.jpg", Lectern.verify(view.lectern_poster_url("/a/m.m3u8", expires_in: 60), keys: KEYS).fetch(:path)
    download = view.lectern_download_url("/a/m.m3u8", name: "Tag 1", expires_in: 60)
    assert_includes download, "/a/lecture.mp4?download=Tag%201&token="
    assert_equal "download", Lectern.verify(download, keys: KEYS).fetch(:use)
    assert_equal "upload", Lectern.verify(view.lectern_upload_url("/a/", expires_in: 60), keys: KEYS).fetch(:use)
    assert_equal "exp_too_far", assert_raises(Lectern::Error) { view.lectern_url("/a/m.m3u8", expires_in: 3601) }.code
  ensure
    Lectern::Rails.config = nil
  end
end
