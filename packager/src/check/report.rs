//! What came of a check: a line a rule, for people; one object for programs.

use std::fmt;

use serde::Serialize;

use super::facts::Facts;
use super::rules::{self, Findings};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The playlist that was read first.
    playlist: String,
    passed: usize,
    broken: usize,
    not_applicable: usize,
    rules: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    id: &'static str,
    title: &'static str,
    source: &'static str,
    result: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    /// Findings beyond those that are listed.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Finding {
    at: String,
    what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Pass,
    Broken,
    NotApplicable,
}

// The signature that serde asks for.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Report {
    pub(super) fn of(facts: &Facts) -> Self {
        let rules: Vec<Line> = rules::all()
            .map(|rule| {
                let mut findings = Findings::default();
                (rule.check)(facts, &mut findings);
                let result = match (findings.found.is_empty(), findings.has_looked) {
                    (false, _) => Outcome::Broken,
                    (true, true) => Outcome::Pass,
                    (true, false) => Outcome::NotApplicable,
                };
                Line {
                    id: rule.id,
                    title: rule.title,
                    source: rule.source,
                    result,
                    findings: findings
                        .found
                        .into_iter()
                        .map(|(at, what)| Finding { at, what })
                        .collect(),
                    more: findings.more,
                    advice: (result == Outcome::Broken).then_some(rule.advice),
                }
            })
            .collect();
        let count = |wanted| rules.iter().filter(|line| line.result == wanted).count();
        Self {
            playlist: facts.name.clone(),
            passed: count(Outcome::Pass),
            broken: count(Outcome::Broken),
            not_applicable: count(Outcome::NotApplicable),
            rules,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken > 0
    }

    /// The numbers of what is broken.
    #[cfg(test)]
    pub(super) fn broken_ids(&self) -> Vec<&'static str> {
        self.broken_lines().map(|line| line.id).collect()
    }

    /// What is broken, in a sentence.
    pub(super) fn broken(&self) -> String {
        let all: Vec<String> = self
            .broken_lines()
            .map(|line| {
                let first = line.findings.first();
                let first = first.map_or_else(String::new, |first| {
                    format!(" ({}: {})", first.at, first.what)
                });
                format!("rule {}, \"{}\"{first}", line.id, line.title)
            })
            .collect();
        all.join("; ")
    }

    fn broken_lines(&self) -> impl Iterator<Item = &Line> {
        let is_broken = |line: &&Line| line.result == Outcome::Broken;
        self.rules.iter().filter(is_broken)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.rules {
            let mark = match line.result {
                Outcome::Pass => '✔',
                Outcome::Broken => '✘',
                Outcome::NotApplicable => '–',
            };
            writeln!(f, "{mark} {}  {}", line.id, line.title)?;
            for Finding { at, what } in &line.findings {
                writeln!(f, "         {at}: {what}")?;
            }
            if line.more > 0 {
                writeln!(f, "         and {} more", line.more)?;
            }
            if let Some(advice) = line.advice {
                writeln!(f, "         → {advice} ({})", line.source)?;
            }
        }
        writeln!(
            f,
            "\n{}: {} of {} rules broken, {} not applicable",
            self.playlist,
            self.broken,
            self.rules.len(),
            self.not_applicable
        )
    }
}
