# frozen_string_literal: true

require_relative "lib/lectern"

Gem::Specification.new do |spec|
  spec.name = "lectern"
  spec.version = Lectern::VERSION
  spec.summary = "Mints links to lectures behind a Lectern edge"
  spec.authors = ["The Lectern developers"]
  spec.licenses = ["Apache-2.0", "MIT"]
  spec.required_ruby_version = ">= 3.0"
  spec.files = Dir["{lib,sig}/**/*.{rb,rbs}", base: __dir__].sort + ["initializer.rb", "LICENSE"]
  spec.metadata["rubygems_mfa_required"] = "true"
end
