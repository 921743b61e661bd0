//! Range headers. The input is a decimal length, a line feed, and a header. The oracle is a second
//! implementation of RFC 9110 §14.1.2, with numbers that cannot overflow.
#![no_main]

use lectern::http::range::ByteRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (length, header) = text.split_once('\n').unwrap_or(("1000", text));
    let length: u64 = length.parse().unwrap_or(1000);
    let range = ByteRange::parse(header);
    let expected = parse(header);
    assert_eq!(range.is_some(), expected.is_some(), "{header:?}");
    let (Some(range), Some(expected)) = (range, expected) else {
        return;
    };
    let found = range.resolve(length);
    match (found, select(expected, length.into())) {
        (Ok(found), Some((first, last))) => {
            assert_eq!(
                (u128::from(found.first), u128::from(found.last)),
                (first, last),
                "{text:?}"
            );
            assert_eq!(u128::from(found.size()), last - first + 1);
            assert_eq!(found.header(), format!("bytes {first}-{last}/{length}"));
        }
        (Err(refused), None) => assert_eq!(refused.header(), format!("bytes */{length}")),
        (found, expected) => panic!("{text:?}: {found:?}, expected {expected:?}"),
    }
});

/// The first and last position, as written.
fn parse(header: &str) -> Option<(Option<u128>, Option<u128>)> {
    let (unit, range) = header.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    let well_formed = unit.trim().to_ascii_lowercase() == "bytes"
        && (first.len(), last.len()) != (0, 0)
        && [first, last]
            .iter()
            .all(|position| position.chars().all(|digit| digit.is_ascii_digit()));
    // A number that overflows is larger than any length, which suffices.
    let number =
        |digits: &str| (!digits.is_empty()).then(|| digits.parse().unwrap_or(u128::MAX / 2));
    let magnitude = |digits: &str| {
        let digits = digits.trim_start_matches('0').to_owned();
        (digits.len(), digits)
    };
    let backwards = !first.is_empty() && !last.is_empty() && magnitude(first) > magnitude(last);
    (well_formed && !backwards).then(|| (number(first), number(last)))
}

fn select(positions: (Option<u128>, Option<u128>), length: u128) -> Option<(u128, u128)> {
    let (first, last) = match positions {
        (None, Some(suffix)) => (
            length.saturating_sub(suffix),
            if suffix == 0 { 0 } else { length },
        ),
        (Some(first), last) => (first, last.map_or(length, |last| last.saturating_add(1))),
        (None, None) => return None,
    };
    let end = last.min(length);
    (first < end).then(|| (first, end - 1))
}
