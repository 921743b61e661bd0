# frozen_string_literal: true

# The courses of the school. A lesson is stored below its course: `/courses/rails/intro/`.
Course = Struct.new(:slug, :title, :lessons, keyword_init: true) do
  def self.find(slug) = COURSES.find { |course| course.slug == slug }

  def lesson(slug) = lessons.find { |lesson| lesson.slug == slug }
end

Lesson = Struct.new(:course, :slug, :title, :free, :opens, keyword_init: true) do
  # True if the lesson has opened. A lesson without a date is always open.
  def open? = opens.nil? || opens <= Time.now

  def folder = "/courses/#{course}/#{slug}/"
end

COURSES = [
  Course.new(slug: "rails", title: "Rails for beginners", lessons: [
    Lesson.new(course: "rails", slug: "intro", title: "The life of a request", free: true),
    Lesson.new(course: "rails", slug: "models", title: "Models and the database", free: false),
    # It opens on a date, and its recording does not exist yet.
    Lesson.new(course: "rails", slug: "jobs", title: "Background jobs", free: false, opens: Time.utc(2030, 1, 1))
  ]),
  Course.new(slug: "video", title: "Video on the web", lessons: [
    Lesson.new(course: "video", slug: "segments", title: "Why video comes in segments", free: false)
  ])
].freeze
