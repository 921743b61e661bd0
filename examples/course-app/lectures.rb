# frozen_string_literal: true

require "erb"
require "securerandom"

# A lecture that a teacher submits as a file, or records in the browser.
Lecture = Struct.new(:id, :title, :teacher, :kind, :object, keyword_init: true) do
  def live? = kind == "live"

  # Everything of the lecture lies below this folder: the teacher's upload link opens it only.
  def root = "/lectures/#{id}/"

  # The URL path of the playlist's folder. An upload `talk.mp4` becomes the lecture `talk/`.
  def folder = live? ? root : "#{root}#{ERB::Util.url_encode(object.to_s.sub(/(?<=.)\.[^.]+\z/, ""))}/"
end

# The lectures of this process, for pages of its teachers and students. A school keeps its lectures
# in a database: without one, a restart forgets them, and so does the 101st.
class Lectures
  KINDS = %w[file live].freeze
  MOST = 100

  def initialize
    @lock = Mutex.new
    @all = {}
  end

  def add(title:, teacher:, kind:)
    lecture = Lecture.new(id: SecureRandom.hex(8), title: title, teacher: teacher, kind: kind)
    @lock.synchronize do
      @all[lecture.id] = lecture
      @all.shift if @all.size > MOST
    end
    lecture
  end

  def find(id) = @lock.synchronize { @all[id] }

  # The newest first.
  def list = @lock.synchronize { @all.values.reverse }
end
