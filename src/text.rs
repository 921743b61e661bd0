//! Text functions beside those of `str`.

/// As [`str::split_once`], for separators of two or three characters. The standard library's search
/// is optimized for long ones, and takes 2.3 kB of code before compression.
pub(crate) fn split_once<'text>(
    text: &'text str,
    separator: &str,
) -> Option<(&'text str, &'text str)> {
    text.char_indices().find_map(|(at, _)| {
        let (before, rest) = text.split_at_checked(at)?;
        Some((before, rest.strip_prefix(separator)?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_split_where_str_splits_it(text in "[{$é]{0,9}") {
            prop_assert_eq!(split_once(&text, "{$"), text.split_once("{$"));
        }
    }
}
