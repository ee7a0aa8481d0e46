//! Texts of which there is only so much room.

/// What stands at the end of a text that was cut.
const CUT: &str = " ...";

/// The text in at most so many bytes, cut between two characters.
#[must_use]
pub fn shortened(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}{CUT}", &text[..text.floor_char_boundary(bytes.saturating_sub(CUT.len()))])
}

/// The lines of a text as one line, of which the first characters.
#[must_use]
pub fn on_one_line(text: &str, characters: usize) -> String {
    let text = text.replace('\n', ", ");
    if text.chars().count() <= characters { text } else { text.chars().take(characters).chain(CUT.chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = shortened(&"预".repeat(3000), 4096);
        assert!(cut.len() <= 4096 && cut.ends_with("预 ..."), "{}", cut.len());
        let longest = "a".repeat(4096);
        assert_eq!(shortened(&longest, 4096), longest);
    }

    #[test]
    fn lines_become_one_of_so_many_characters() {
        assert_eq!((on_one_line("预约\n挂号", 6).as_str(), on_one_line("预约\n挂号", 3).as_str()), ("预约, 挂号", "预约, ..."));
    }
}
