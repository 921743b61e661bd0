# frozen_string_literal: true

# sdk/vectors.json, and what the vectors do not say: ruby -Ilib test/vectors_test.rb

require "minitest/autorun"
require "lectern"
require "lectern/rails"

class VectorsTest < Minitest::Test
  VECTORS = JSON.parse(File.read(File.expand_path("../../vectors.json", __dir__), encoding: "UTF-8"))
  KEYS = VECTORS.fetch("keys")

  def each(list)
    VECTORS.fetch(list).each do |vector|
      yield vector, vector.slice("now", "max_link_age", "max_watch").transform_keys(&:to_sym).merge(keys: KEYS)
    end
  end

  def refused(vector)
    error = assert_raises(Lectern::Error, vector.to_s) { yield }
    assert_equal vector["error"], error.code, "#{vector}: #{error.message}"
    refute_empty error.message
  end

  def call(vector, options)
    Lectern.public_send(vector["call"], vector["url"], **vector["options"].transform_keys(&:to_sym), **options)
  end

  def test_claims_give_exactly_the_token_of_the_edge
    each("mint") { |vector, options| assert_equal vector["token"], Lectern.mint(vector["claims"], **options), vector["name"] }
  end

  def test_a_url_gives_exactly_the_link_of_the_edge
    each("link") { |vector, options| assert_equal vector["link"], call(vector, options), vector["name"] }
  end

  def test_a_token_says_its_claims
    each("verify") do |vector, options|
      expected = { "use" => "play" }.merge(vector["claims"])
      found = Lectern.verify(vector["token"], url: vector["url"], **options)
      assert_equal expected, found.transform_keys(&:to_s), vector["name"]
    end
  end

  def test_claims_that_open_nothing_are_not_minted
    each("refused_claims") { |vector, options| refused(vector) { Lectern.mint(vector["claims"], **options) } }
  end

  def test_a_url_that_cannot_be_linked_to_is_refused
    each("refused_links") { |vector, options| refused(vector) { call(vector, options) } }
  end

  def test_a_token_that_opens_nothing_is_refused_with_its_reason
    each("refused_tokens") { |vector, options| refused(vector) { Lectern.verify(vector["token"], url: vector["url"], **options) } }
  end

  def test_keys_that_mint_nothing_are_refused
    each("refused_keys") { |vector, _| refused(vector) { Lectern.key_ids(vector["keys"]) } }
    refused("error" => "no_keys") { Lectern.key_ids(" ") }
    assert_equal ["2026-11", "old._-"], Lectern.key_ids(KEYS)
  end

  def test_every_link_opens_its_own_url
    each("link") { |vector, options| assert Lectern.verify(vector["link"], **options), vector["name"] }
  end

  def test_keys_come_from_the_environment_and_times_may_be_times
    ENV["LECTERN_KEYS"] = KEYS
    link = Lectern.link("https://h/a", expires_at: Time.now + 60)
    assert_operator Lectern.verify(link, keys: nil, now: nil).fetch(:exp), :<=, Time.now.to_i + 60
  ensure
    ENV.delete("LECTERN_KEYS")
  end

  def test_text_of_another_encoding_is_the_same_text
    latin = "J\xFCrgen".dup.force_encoding("ISO-8859-1")
    token = Lectern.mint({ path: "/a", exp: 60, sub: latin }, keys: KEYS, now: 0)
    assert_equal "Jürgen", Lectern.verify(token, keys: KEYS, now: 0).fetch(:sub)
    refused("error" => "bad_sub") { Lectern.mint({ path: "/a", exp: 60, sub: "\xFF" }, keys: KEYS, now: 0) }
  end

  def test_the_helper_links_to_a_path_of_the_edge
    view = Object.new.extend(Lectern::Helper)
    assert_equal "no_edge", assert_raises(Lectern::Error) { view.lectern_url("/a/m.m3u8") }.code
    Lectern::Rails.config = { edge: "https://video.school.example/", keys: KEYS, max_link_age: 3600 }
    link = view.lectern_url("/a/m.m3u8", viewer: "s42", expires_in: 60)
    assert_match %r{\Ahttps://video\.school\.example/a/m\.m3u8\?token=}, link
    assert_equal "s42", Lectern.verify(link, keys: KEYS).fetch(:sub)
    assert_equal "upload", Lectern.verify(view.lectern_upload_url("/a/", expires_in: 60), keys: KEYS).fetch(:use)
    assert_equal "exp_too_far", assert_raises(Lectern::Error) { view.lectern_url("/a/m.m3u8", expires_in: 3601) }.code
  ensure
    Lectern::Rails.config = nil
  end
end
