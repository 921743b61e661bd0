# frozen_string_literal: true

require_relative "video"

# How far a teacher's lecture is, from what the edge stores. The packager writes a status beside an
# upload: `talk.mp4.status.json`, or `status.json` in the folder of a recording.
class Packaging
  # The edge has no recording yet.
  ABSENT = "absent"
  # A recording plays that has no status yet: it goes on, or has just ended.
  LIVE = "live"
  # Members of a status that the page shows.
  STATES = %w[waiting packaging playing done failed].freeze

  attr_reader :state, :percent, :rungs

  class << self
    def of(lecture)
      status = lecture.live? ? Video.status(lecture, "status.json") : status_of_file(lecture)
      status = nil unless status.is_a?(Hash) && STATES.include?(status["state"])
      return new(lecture, status) if status
      return new(lecture, { "state" => lecture.object ? "waiting" : ABSENT }) unless lecture.live?

      new(lecture, { "state" => Video.plays?(lecture) ? LIVE : ABSENT })
    end

    private

    # A teacher may submit another file after one that failed, so the newest counts.
    def status_of_file(lecture)
      status = lecture.object && Video.status(lecture, "#{lecture.object}.status.json")
      return status if status && %w[packaging playing done].include?(status["state"])

      newest = Video.objects(lecture).reject { |object| object["name"].end_with?(".status.json") }
                    .max_by { |object| object["uploaded"] }
      return unless newest

      status = nil if lecture.object != newest["name"]
      lecture.object = newest["name"]
      status ||= Video.status(lecture, "#{lecture.object}.status.json")
      # That of an earlier upload of this name. `updated` counts seconds, `uploaded` milliseconds.
      status if status && status["updated"].to_i >= newest["uploaded"] / 1000
    end
  end

  def initialize(lecture, status)
    @is_live = lecture.live?
    @state = status["state"]
    @percent = status["percent"].to_i.clamp(0, 100)
    @rungs = Array(status["rungs"]).map(&:to_s)
    error = status["error"]
    @reason = error["text"].to_s if error.is_a?(Hash)
  end

  # A live lecture plays as it was recorded until its sizes are there.
  def plays? = %w[playing done].include?(state) || (@is_live && state != ABSENT)

  # Nothing changes any more.
  def over? = %w[done failed].include?(state)

  # While the recording waits, the bar has no end.
  def bar? = %w[waiting packaging playing].include?(state)
  def working? = %w[packaging playing].include?(state)

  # The teacher also reads why it failed, because only the teacher can act on it.
  def sentence(for_teacher: false)
    failed = for_teacher && @reason ? " #{@reason}" : ""
    @is_live ? sentence_live(failed) : sentence_file(failed)
  end

  private

  def tallest = rungs.max_by(&:to_i)

  def sentence_playing = "The lecture plays#{" in up to #{tallest}" if tallest}. More sizes follow."

  def sentence_file(failed)
    case state
    when ABSENT then "The recording has not been submitted yet."
    when "waiting" then "The recording is stored, and waits to be packaged.#{failed}"
    when "packaging" then "The lecture is being packaged."
    when "playing" then sentence_playing
    when "done" then "The lecture is ready, in up to #{tallest}."
    else "The lecture could not be packaged.#{failed}"
    end
  end

  def sentence_live(failed)
    case state
    when ABSENT then "The lecture has not begun yet."
    when LIVE then "The lecture plays while it is recorded. Its sizes for slow lines follow after its end."
    when "waiting" then "The lecture plays as it was recorded. Its other sizes wait to be packaged.#{failed}"
    when "packaging" then "The lecture plays as it was recorded. Its other sizes are being packaged."
    when "playing" then sentence_playing
    when "done" then "The lecture is ready, in up to #{tallest}."
    else "The lecture plays as it was recorded. Its other sizes could not be packaged.#{failed}"
    end
  end
end
