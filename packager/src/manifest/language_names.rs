//! Names of languages in themselves, which their speakers recognize in a menu.

/// ISO 639-1 codes with CLDR's own names, capitalized as at the beginning of a line.
const NAMES: [(&str, &str); 48] = [
    ("ar", "العربية"),
    ("bg", "Български"),
    ("bn", "বাংলা"),
    ("bs", "Bosanski"),
    ("ca", "Català"),
    ("cs", "Čeština"),
    ("cy", "Cymraeg"),
    ("da", "Dansk"),
    ("de", "Deutsch"),
    ("el", "Ελληνικά"),
    ("en", "English"),
    ("es", "Español"),
    ("et", "Eesti"),
    ("eu", "Euskara"),
    ("fa", "فارسی"),
    ("fi", "Suomi"),
    ("fr", "Français"),
    ("ga", "Gaeilge"),
    ("gl", "Galego"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("hr", "Hrvatski"),
    ("hu", "Magyar"),
    ("id", "Indonesia"),
    ("is", "Íslenska"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("lt", "Lietuvių"),
    ("lv", "Latviešu"),
    ("ms", "Melayu"),
    ("nb", "Norsk bokmål"),
    ("nl", "Nederlands"),
    ("no", "Norsk"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ro", "Română"),
    ("ru", "Русский"),
    ("sk", "Slovenčina"),
    ("sl", "Slovenščina"),
    ("sr", "Српски"),
    ("sv", "Svenska"),
    ("th", "ไทย"),
    ("tr", "Türkçe"),
    ("uk", "Українська"),
    ("ur", "اردو"),
    ("vi", "Tiếng Việt"),
    ("zh", "中文"),
];

/// Unique names for a menu (RFC 8216bis §4.4.6.1.1): titles, else languages, else `unknown`.
/// Duplicates are numbered.
pub(crate) fn names<'a>(
    tracks: impl IntoIterator<Item = (Option<&'a str>, &'a str)>,
    unknown: &str,
) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for (title, language) in tracks {
        let name = match title.map(str::trim).filter(|title| !title.is_empty()) {
            Some(title) => title.to_owned(),
            None => named(language, unknown),
        };
        let counted = (2..).map(|count| format!("{name} {count}"));
        let free = std::iter::once(name.clone())
            .chain(counted)
            .find(|name| !names.contains(name));
        // The search ends only with a free name.
        names.push(free.unwrap_or(name));
    }
    names
}

fn named(tag: &str, unknown: &str) -> String {
    if tag.is_empty() || tag == "und" {
        return unknown.to_owned();
    }
    let (primary, rest) = tag.split_once('-').unwrap_or((tag, ""));
    match NAMES.binary_search_by_key(&primary, |(tag, _)| tag) {
        Ok(at) if rest.is_empty() => NAMES[at].1.to_owned(),
        Ok(at) => format!("{} ({})", NAMES[at].1, rest.to_ascii_uppercase()),
        Err(_) => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn languages_are_called_by_their_own_names_and_no_two_tracks_alike() {
        let tracks = [
            (None, "en"),
            (None, "de"),
            (None, "en"),
            (None, "pt-br"),
            (None, "tlh"),
            (None, "und"),
            (Some("English"), "en"),
            (Some("Commentary"), "en"),
            (Some(" "), "und"),
        ];
        assert_eq!(
            names(tracks, "Audio"),
            [
                "English",
                "Deutsch",
                "English 2",
                "Português (BR)",
                "tlh",
                "Audio",
                "English 3",
                "Commentary",
                "Audio 2"
            ]
        );
    }
}
