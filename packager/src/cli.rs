//! What can be typed.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use lectern::http::cors::OriginPattern;
use lectern::network::{Cidr, Country};

use crate::container::Container;
use crate::cost::CostArgs;
use crate::exit::EXIT_CODES;
use crate::extras::captions::CaptionsFile;
use crate::ladder::Codec;
use crate::limits::{LimitArgs, size};
use crate::publish::Target;

/// Packages a recording as HLS, publishes it, and mints the links that open it.
#[derive(Debug, Parser)]
#[command(name = "lectern", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Encode and package a recording into a folder.
    #[command(after_help = EXIT_CODES)]
    Package(PackageArgs),
    /// Put a package where it is served from.
    #[command(after_help = EXIT_CODES)]
    Publish(PublishArgs),
    /// Package and publish at once: segments go up while later ones are encoded.
    #[command(after_help = EXIT_CODES)]
    Ship(ShipArgs),
    /// Take recordings from a queue as they are uploaded, and ship them; on any number of machines.
    #[command(after_help = EXIT_CODES)]
    Work(WorkArgs),
    /// List what was published at a target, and say what plays.
    #[command(after_help = EXIT_CODES)]
    Revisions(RevisionsArgs),
    /// Let an earlier revision play again.
    #[command(after_help = EXIT_CODES)]
    Rollback(RollbackArgs),
    /// Remove revisions that nobody can be watching any more.
    #[command(after_help = EXIT_CODES)]
    Prune(PruneArgs),
    /// Compare every published object with its size and hash, and mend what is not right.
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Check a package, ours or anybody's, against the rules that players rely on.
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Mint a link, and print the URL that opens.
    #[command(after_help = EXIT_CODES)]
    Link(LinkArgs),
    /// Say why a URL does (not) open: which check fails, and what to do.
    #[command(after_help = EXIT_CODES)]
    Explain(ExplainArgs),
    /// Make and rotate the keys that links are minted with.
    #[command(after_help = EXIT_CODES)]
    Keys(KeysArgs),
    /// Say what a month of lectures and views costs, here and with others.
    #[command(after_help = EXIT_CODES)]
    Cost(CostArgs),
    /// Make a recording to try things on: slides, a voice and a running timecode.
    #[command(after_help = EXIT_CODES)]
    Sample(SampleArgs),
}

/// Unless somebody wants more: each has the pictures of a whole ladder in its memory.
const MOST_WORKERS: usize = 16;

#[derive(Debug, Clone, Args)]
pub(crate) struct EncodeArgs {
    /// Sizes to offer, by their short side, never larger than the source: `lecture` (1080,720,480), `mobile`
    /// (720,480,240), `full` (2160,1440,1080,720,480,360,240), or a list such as `1080,480`.
    #[arg(long, value_name = "SIZES", default_value = "lecture", value_parser = ladder)]
    pub(crate) ladder: Ladder,
    /// Codecs to offer besides H.264, for players that have them: `hevc`, `av1`. They take several times longer.
    #[arg(long, value_name = "CODEC", value_delimiter = ',')]
    pub(crate) codec: Vec<Codec>,
    /// What segments are wrapped in: `cmaf` for all that is sold today, `ts` (MPEG-2 Transport Streams of H.264, no DASH)
    /// for very old devices.
    #[arg(
        long,
        value_name = "CONTAINER",
        default_value = "cmaf",
        hide_possible_values = true
    )]
    pub(crate) container: Container,
    /// Offer sound alone as well, for lines that carry no picture: players choose it only then.
    #[arg(long)]
    pub(crate) audio_only_variant: bool,
    /// How much time to spend on a smaller and better picture; --preset and --crf say it in x264's terms.
    #[arg(long, value_name = "QUALITY", default_value = "standard")]
    pub(crate) quality: Quality,
    /// Leave sound as loud as it is, instead of bringing it to -16 LUFS (EBU R 128).
    #[arg(long)]
    pub(crate) no_loudnorm: bool,
    /// Seconds of a Media Segment.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) segment_duration: u32,
    /// x264's speed: slower is smaller [default: the quality's].
    #[arg(long)]
    preset: Option<Preset>,
    /// x264's quality: lower is better and larger [default: the quality's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=40))]
    crf: Option<u32>,
    /// Encoders at once, each with one thread; the result is the same [default: one per core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// Captions or a translation, as WebVTT or SubRip; may be repeated. Text subtitles that the recording has are kept
    /// where none are given in their language.
    #[arg(long, value_name = "LANG=FILE", value_parser = CaptionsFile::parse)]
    pub(crate) captions: Vec<CaptionsFile>,
    /// Do not make `lecture.mp4`, the one file to take home.
    #[arg(long)]
    pub(crate) no_mp4: bool,
    /// Do not make the storyboard: small pictures to look through.
    #[arg(long)]
    pub(crate) no_storyboard: bool,
}

impl EncodeArgs {
    pub(crate) fn workers(&self) -> usize {
        self.threads.map_or_else(
            || {
                std::thread::available_parallelism()
                    .map_or(2, |cores| cores.get().min(MOST_WORKERS))
            },
            usize::from,
        )
    }

    /// One rung of at most so many lines, as soon as it can be had.
    pub(crate) fn small(&self, side: u32, segment_duration: u32) -> Self {
        Self {
            segment_duration,
            // It would be listened to first.
            no_loudnorm: true,
            ladder: Ladder(vec![side]),
            codec: vec![],
            quality: Quality::Fast,
            preset: None,
            crf: None,
            container: Container::Cmaf,
            audio_only_variant: false,
            ..self.clone()
        }
    }

    pub(crate) fn preset(&self) -> Preset {
        self.preset.unwrap_or(match self.quality {
            Quality::Fast => Preset::Superfast,
            Quality::Standard => Preset::Veryfast,
            Quality::Best => Preset::Slow,
        })
    }

    pub(crate) fn crf(&self) -> u32 {
        self.crf.unwrap_or(match self.quality {
            Quality::Fast => 24,
            Quality::Standard => 23,
            Quality::Best => 21,
        })
    }
}

/// Short sides, largest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ladder(pub(crate) Vec<u32>);

fn ladder(text: &str) -> Result<Ladder, String> {
    let list = match text {
        "lecture" => "1080,720,480",
        "mobile" => "720,480,240",
        "full" => "2160,1440,1080,720,480,360,240",
        list => list,
    };
    let sides: Option<Vec<u32>> = list
        .split(',')
        .map(|side| {
            side.trim()
                .parse()
                .ok()
                .filter(|side| (16..=4320).contains(side))
        })
        .collect();
    let mut sides = sides.ok_or_else(|| {
        "`lecture`, `mobile`, `full`, or sizes from 16 to 4320 such as `1080,480`".to_owned()
    })?;
    sides.sort_unstable_by(|a, b| b.cmp(a));
    sides.dedup();
    Ok(Ladder(sides))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quality {
    /// Superfast, CRF 24.
    Fast,
    /// Veryfast, CRF 23.
    Standard,
    /// Slow, CRF 21.
    Best,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
    Slower,
    Veryslow,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    /// The recording: a file; an object, as `r2://bucket/uploads/talk.mov` or `https://edge/uploads/talk.mov`; or one that was
    /// stored in parts, by its playlist or by its folder with a slash.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) hls: HlsArgs,
    /// The folder to make. One that holds this very package is left as it is.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Replace whatever the folder holds.
    #[arg(long)]
    pub(crate) force: bool,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HlsArgs {
    /// INPUT is the URL of a playlist of another platform: its best Variant Stream is fetched, with its
    /// sounds.
    #[arg(long, requires = "allow_host")]
    pub(crate) hls: bool,
    /// A host that may be asked for it, with its port if it has one; no other is. May be repeated.
    #[arg(long, value_name = "HOST", requires = "hls")]
    pub(crate) allow_host: Vec<String>,
}

/// How a bucket or an edge is reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReachArgs {
    /// Where the bucket's S3 API is, for `r2://` [default: R2_ACCOUNT_ID's] and `s3://` [default: AWS_ENDPOINT_URL, else Amazon's].
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Send links to another machine over HTTP without TLS, where everybody on the way can read and use them.
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
}

impl ReachArgs {
    /// The same without an endpoint.
    fn without_endpoint(&self) -> Self {
        Self {
            endpoint: None,
            ..self.clone()
        }
    }

    /// The same for this place: an endpoint is for buckets.
    pub(crate) fn of(&self, place: &str) -> Self {
        match is_bucket(place) {
            true => self.clone(),
            false => self.without_endpoint(),
        }
    }
}

fn is_bucket(place: &str) -> bool {
    place.starts_with("r2:") || place.starts_with("s3:")
}

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Where to: `r2://bucket/prefix`, `s3://bucket/prefix`, `file:///dir`, or `http(s)://edge/prefix` through the edge.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

impl TargetArgs {
    pub(crate) fn open(&self) -> anyhow::Result<Target> {
        Target::open(&self.target, &self.reach)
    }

    /// The endpoint may be the input's alone.
    pub(crate) fn open_for(&self, input: &Path) -> anyhow::Result<Target> {
        let of_input = !is_bucket(&self.target) && input.to_str().is_some_and(is_bucket);
        match of_input {
            true => Target::open(&self.target, &self.reach.without_endpoint()),
            false => self.open(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// A folder made by `lectern package`.
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShipArgs {
    /// The recording: a file; an object, as `r2://bucket/uploads/talk.mov` or `https://edge/uploads/talk.mov`; or one that was
    /// stored in parts, by its playlist or by its folder with a slash.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) hls: HlsArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    /// Let something play within seconds, while the lecture proper is made: the recording's own streams where players take
    /// them, else 480 lines.
    #[arg(long)]
    pub(crate) instant: bool,
    /// Where to encode; the folder made there is removed at the end [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// Where uploads lie, the edge's UPLOADS_PREFIX: `r2://bucket/uploads/`, or `https://edge/uploads/` through the edge.
    pub(crate) from: String,
    /// What lectures go below: `uploads/rails/intro.mov` becomes `TARGET/rails/intro`.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The queue's id in the account CLOUDFLARE_ACCOUNT_ID, or the URL above its `/messages/pull`.
    #[arg(long, value_name = "ID|URL")]
    pub(crate) queue: String,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    /// As in `lectern ship`.
    #[arg(long)]
    pub(crate) instant: bool,
    /// Where to encode [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// How long a job may take before another machine gets it as well; at most `12h`.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = lease)]
    pub(crate) lease: Duration,
    /// How long to wait where the queue is empty.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) pause: Duration,
    /// End when the queue is empty.
    #[arg(long)]
    pub(crate) once: bool,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Bytes of the disk that stay free: with less, no job is taken.
    #[arg(long, value_name = "SIZE", env = "LECTERN_MIN_FREE", default_value = "2GB", value_parser = size)]
    pub(crate) min_free: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RevisionsArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print one JSON list.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Which [default: the one that was replaced last].
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many complete revisions stay: the one that plays, and the latest beside it.
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    pub(crate) keep: usize,
    /// The edge's MAX_WATCH: how long somebody goes on watching what was replaced.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) max_watch: Duration,
    /// Say what would go, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Which [default: the one that plays].
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Send what is not right again, from the folder that it was published from.
    #[arg(long, value_name = "DIR")]
    pub(crate) repair: Option<PathBuf>,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A folder, a .m3u8 file, or an http(s) URL in quotes, with its link.
    #[arg(value_name = "DIR|FILE|URL")]
    pub(crate) input: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Follow URIs and redirects to other origins.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Send the URL's link to another machine over HTTP without TLS, where everybody on the way can read and use it.
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// What to open, e.g. `https://edge.example/courses/rails/master.m3u8`.
    pub(crate) url: String,
    /// How long it opens, e.g. `30m`, `6h`, `7d`.
    #[arg(long = "for", value_name = "TIME", default_value = "6h", value_parser = duration, conflicts_with = "expires_at")]
    pub(crate) lasts: Duration,
    /// Until when it opens (RFC 3339), e.g. `2027-01-31T18:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// Who watches: opaque to us.
    #[arg(long, value_name = "ID")]
    pub(crate) viewer: Option<String>,
    /// Open everything in the URL's folder, not just the URL.
    #[arg(long)]
    pub(crate) directory: bool,
    /// What the link may be used for.
    #[arg(long = "use", value_name = "USE", default_value = "play")]
    pub(crate) use_: LinkUse,
    /// How long what was opened in time keeps playing, e.g. `6h` [default: the edge's].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) watch: Option<Duration>,
    /// List no Variant Stream with more lines than this, by its shorter side.
    #[arg(long, value_name = "LINES")]
    pub(crate) max_height: Option<u32>,
    /// List only what lies between these seconds, e.g. `0-60`.
    #[arg(long, value_name = "FROM-TO", value_parser = preview)]
    pub(crate) preview: Option<(u32, u32)>,
    /// List only audio and subtitles in this language; may be repeated.
    #[arg(long = "lang", value_name = "TAG")]
    pub(crate) langs: Vec<String>,
    /// Open only from this address or range, e.g. `192.0.2.0/24`; may be repeated.
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub(crate) ip: Vec<Cidr>,
    /// Open only in this country, e.g. `DE`; may be repeated.
    #[arg(long, value_name = "CODE", value_parser = country)]
    pub(crate) country: Vec<Country>,
    /// Open only on pages of this origin, e.g. `https://*.school.example`; may be repeated.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(crate) origin: Vec<OriginPattern>,
    /// The link's own id.
    #[arg(long, value_name = "ID")]
    pub(crate) jti: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The URL, in quotes, with its link or pass.
    pub(crate) url: String,
    /// The request's method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// Where the request comes from, for links and passes that are bound to it.
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    /// The country that it comes from.
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// The origin of the page that asks.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) page: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

fn preview(text: &str) -> Result<(u32, u32), String> {
    text.split_once('-')
        .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| "two numbers of seconds, such as `0-60`".to_owned())
}

fn cidr(text: &str) -> Result<Cidr, String> {
    Cidr::parse(text).ok_or_else(|| "an address or a range, such as `192.0.2.0/24`".to_owned())
}

fn country(text: &str) -> Result<Country, String> {
    Country::parse(text).ok_or_else(|| "an ISO 3166 code, such as `DE`".to_owned())
}

fn origin(text: &str) -> Result<OriginPattern, String> {
    OriginPattern::parse(text)
        .ok_or_else(|| "an origin, such as `https://school.example`".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkUse {
    Play,
    Upload,
    Download,
    Admin,
}

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) verb: KeysVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Print a LECTERN_KEYS with one new key.
    New {
        /// The key's id [default: this month, as in 2026-11].
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
    },
    /// Print the present LECTERN_KEYS with a new key in front: it mints, and all verify.
    Rotate {
        /// The new key's id [default: this month, as in 2026-11].
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
    },
    /// Print the keys of a local edge as a shell command: `eval "$(lectern keys env)"` sets LECTERN_KEYS.
    Env {
        /// The file that holds LECTERN_KEYS, as `make serve` writes it.
        #[arg(value_name = "FILE", default_value = ".dev.vars")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// The MP4 file to make.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=36_000))]
    pub(crate) seconds: u32,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `90s`, `30m`, `6h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `30m`, `6h` or `7d`");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let amount: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    amount
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// As long as Cloudflare leases a message, and long enough to do something.
fn lease(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|lease| match lease.as_secs() {
        1..=43_200 => Ok(lease),
        _ => Err("from `1s` to `12h`".to_owned()),
    })
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|error| format!("`{text}` is not a time such as `2027-01-31T18:00:00Z` ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("6h", Some(21_600)),
            ("7d", Some(604_800)),
            ("6", None),
            ("h", None),
            ("-1h", None),
            ("1ö", None),
            ("", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(
                duration(text).ok().map(|time| time.as_secs()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_ladder_is_a_name_or_sizes() {
        for (text, expected) in [
            ("lecture", Some(vec![1080, 720, 480])),
            ("480, 1080,480", Some(vec![1080, 480])),
            ("8", None),
            ("big", None),
            ("", None),
        ] {
            assert_eq!(ladder(text).ok(), expected.map(Ladder), "{text}");
        }
    }
}
