//! Result of a check: a line for each rule for people, one object for programs.

use std::fmt;

use serde::Serialize;

use super::facts::PackageFacts;
use super::rules::{self, Findings};

#[derive(Debug, Serialize)]
pub(crate) struct CheckReport {
    /// The first playlist.
    playlist: String,
    passed: usize,
    broken: usize,
    not_applicable: usize,
    not_judged: usize,
    rules: Vec<RuleLine>,
}

#[derive(Debug, Serialize)]
struct RuleLine {
    id: &'static str,
    title: &'static str,
    source: &'static str,
    result: RuleResult,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<RuleFinding>,
    /// Number of findings that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct RuleFinding {
    at: String,
    what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum RuleResult {
    Pass,
    Broken,
    NotApplicable,
    /// The rule applies to bytes that it cannot read.
    NotJudged,
}

// serde requires this signature.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl CheckReport {
    pub(super) fn of(facts: &PackageFacts) -> Self {
        let rules: Vec<RuleLine> = rules::all()
            .map(|rule| {
                let mut findings = Findings::default();
                (rule.check)(facts, &mut findings);
                let is_judged = findings.unjudged.is_empty();
                let is_broken = !findings.found.is_empty();
                // Among faults, it must not look like one.
                let unjudged = findings
                    .unjudged
                    .into_iter()
                    .map(|(at, what)| match is_broken {
                        true => (at, format!("not judged: {what}")),
                        false => (at, what),
                    });
                let result = match (is_broken, is_judged, findings.has_looked) {
                    (true, ..) => RuleResult::Broken,
                    (false, false, _) => RuleResult::NotJudged,
                    (false, true, true) => RuleResult::Pass,
                    (false, true, false) => RuleResult::NotApplicable,
                };
                RuleLine {
                    id: rule.id,
                    title: rule.title,
                    source: rule.source,
                    result,
                    findings: findings
                        .found
                        .into_iter()
                        .chain(unjudged)
                        .map(|(at, what)| RuleFinding { at, what })
                        .collect(),
                    more: findings.more,
                    advice: (result == RuleResult::Broken).then_some(rule.advice),
                }
            })
            .collect();
        let count = |wanted| rules.iter().filter(|line| line.result == wanted).count();
        Self {
            playlist: facts.name.clone(),
            passed: count(RuleResult::Pass),
            broken: count(RuleResult::Broken),
            not_applicable: count(RuleResult::NotApplicable),
            not_judged: count(RuleResult::NotJudged),
            rules,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken > 0
    }

    /// Numbers of broken rules.
    #[cfg(test)]
    pub(super) fn broken_ids(&self) -> Vec<&'static str> {
        self.broken_lines().map(|line| line.id).collect()
    }

    /// Broken rules as a sentence.
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

    fn broken_lines(&self) -> impl Iterator<Item = &RuleLine> {
        let is_broken = |line: &&RuleLine| line.result == RuleResult::Broken;
        self.rules.iter().filter(is_broken)
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.rules {
            let mark = match line.result {
                RuleResult::Pass => '✔',
                RuleResult::Broken => '✘',
                RuleResult::NotApplicable => '–',
                RuleResult::NotJudged => '?',
            };
            writeln!(f, "{mark} {}  {}", line.id, line.title)?;
            for RuleFinding { at, what } in &line.findings {
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
            "\n{}: {} of {} rules broken, {} not applicable, {} not judged",
            self.playlist,
            self.broken,
            self.rules.len(),
            self.not_applicable,
            self.not_judged
        )
    }
}
