# frozen_string_literal: true

# What the school teaches. A lesson lies at the edge below its course: `/courses/rails/intro/`.
Course = Struct.new(:slug, :title, :lessons, keyword_init: true) do
  def self.find(slug) = COURSES.find { |course| course.slug == slug }

  def lesson(slug) = lessons.find { |lesson| lesson.slug == slug }
end

Lesson = Struct.new(:course, :slug, :title, :free, keyword_init: true) do
  def folder = "/courses/#{course}/#{slug}/"
end

COURSES = [
  Course.new(slug: "rails", title: "Rails from an empty folder", lessons: [
    Lesson.new(course: "rails", slug: "intro", title: "What happens to a request", free: true),
    Lesson.new(course: "rails", slug: "models", title: "Models, and what they are not", free: false)
  ]),
  Course.new(slug: "video", title: "Video for people who write", lessons: [
    Lesson.new(course: "video", slug: "segments", title: "Why a lecture comes in pieces", free: false)
  ])
].freeze
