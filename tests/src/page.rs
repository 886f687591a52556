//! A page of a cause as text: its sections and fenced blocks.

use std::ops::Range;

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first word behind the fence.
    pub language: String,
    attributes: Vec<(String, String)>,
    /// What stands between the fences, without the last line end.
    pub text: String,
    /// Where that stands in the page, line ends included.
    pub span: Range<usize>,
}

impl Block {
    /// The value of `name=value` behind the fence; empty for a `name` alone.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The code that it is about.
    pub code: String,
    /// All of it.
    pub text: String,
    sections: Vec<(String, Vec<Block>)>,
}

/// The sections that a page may have, in this order.
const SECTIONS: [&str; 6] = ["When", "Manifest", "Check", "Request", "Answer", "Fix"];

impl Page {
    /// Reads the page of `code`.
    ///
    /// # Errors
    /// It does not have the form that the README of `docs/causes` describes.
    pub fn read(code: &str, text: &str) -> Result<Self, String> {
        let mut lines = Lines { text, at: 0 };
        let first = lines.next().map(|(line, _)| line);
        if first != Some(format!("# {code}").as_str()) {
            return Err(format!("the first line must be `# {code}`"));
        }
        let mut sections: Vec<(String, Vec<Block>)> = Vec::new();
        let mut has_words = false;
        while let Some((line, _)) = lines.next() {
            if let Some(title) = line.strip_prefix("## ") {
                let place = |title: &str| SECTIONS.iter().position(|known| *known == title);
                let here = place(title).ok_or_else(|| format!("`{title}` is not a section of a page"))?;
                if sections.last().is_some_and(|(before, _)| place(before).is_some_and(|before| before >= here)) {
                    return Err(format!("`{title}` stands too late or twice"));
                }
                sections.push((title.to_owned(), Vec::new()));
            } else if let Some(info) = line.strip_prefix("```") {
                let block = block(info, &mut lines)?;
                let Some((_, blocks)) = sections.last_mut() else {
                    return Err("a block stands before the first section".to_owned());
                };
                blocks.push(block);
            } else {
                has_words |= sections.is_empty() && !line.trim().is_empty();
            }
        }
        if !has_words {
            return Err("it does not say what the code means".to_owned());
        }
        Ok(Self { code: code.to_owned(), text: text.to_owned(), sections })
    }

    /// Whether it has a section.
    #[must_use]
    pub fn has(&self, section: &str) -> bool {
        self.sections.iter().any(|(title, _)| title == section)
    }

    /// The blocks of a section in a language.
    pub fn blocks(&self, section: &str, language: &str) -> impl Iterator<Item = &Block> {
        let found = self.sections.iter().filter(move |(title, _)| title == section);
        let language = language.to_owned();
        found.flat_map(|(_, blocks)| blocks).filter(move |block| block.language == language)
    }

    /// The first of [`Self::blocks`].
    #[must_use]
    pub fn block(&self, section: &str, language: &str) -> Option<&Block> {
        self.blocks(section, language).next()
    }

    /// The page with other text in some blocks.
    #[must_use]
    pub fn with(&self, mut changes: Vec<(&Block, String)>) -> String {
        changes.sort_by_key(|(block, _)| block.span.start);
        let mut text = self.text.clone();
        for (block, changed) in changes.into_iter().rev() {
            text.replace_range(block.span.clone(), &format!("{changed}\n"));
        }
        text
    }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, usize);

    /// A line without its end, and where it begins.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let begins = self.at;
        let line = rest.split('\n').next()?;
        self.at = (begins + line.len() + 1).min(self.text.len());
        Some((line, begins))
    }
}

fn block(info: &str, lines: &mut Lines<'_>) -> Result<Block, String> {
    let mut words = info.split_whitespace();
    let language = words.next().unwrap_or_default().to_owned();
    let attribute = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        (name.to_owned(), value.to_owned())
    };
    let attributes = words.map(attribute).collect();
    let begins = lines.at;
    while let Some((line, at)) = lines.next() {
        if line == "```" {
            let inner = lines.text.get(begins..at).unwrap_or_default();
            let text = inner.strip_suffix('\n').unwrap_or(inner).to_owned();
            return Ok(Block { language, attributes, text, span: begins..at });
        }
    }
    Err(format!("the block ```{info} does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# a.b\n\nWords.\n\n## Request\n\n```http times=3 raw\nGET /\n```\n\n## Answer\n\n```http\n```\n";

    #[test]
    fn pages_are_read_and_written() {
        let page = Page::read("a.b", PAGE).unwrap();
        let request = page.block("Request", "http").unwrap();
        assert_eq!((request.text.as_str(), request.attribute("times"), request.attribute("raw")), ("GET /", Some("3"), Some("")));
        assert_eq!(request.attribute("at"), None);
        let answer = page.block("Answer", "http").unwrap();
        let changed = page.with(vec![(answer, "HTTP/1.1 200 OK".to_owned()), (request, "GET /x".to_owned())]);
        assert_eq!(changed, PAGE.replace("GET /", "GET /x").replace("```http\n```", "```http\nHTTP/1.1 200 OK\n```"));
        assert!(page.has("Answer") && !page.has("Fix"));
    }

    #[test]
    fn other_forms_are_refused() {
        let check = |text: &str, what: &str| assert!(Page::read("a.b", text).unwrap_err().contains(what), "{text}");
        check("# a.c\n\nWords.\n", "first line");
        check("# a.b\n\n## Fix\n", "does not say");
        check("# a.b\n\nWords.\n\n## Fixes\n", "not a section");
        check("# a.b\n\nWords.\n\n## Fix\n\n## Fix\n", "twice");
        check("# a.b\n\nWords.\n\n## Fix\n\n```yaml\na: b\n", "does not end");
        check("# a.b\n\nWords.\n\n```yaml\n```\n", "before the first section");
    }
}
