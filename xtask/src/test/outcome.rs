//! What a run of `cargo test` came to, read from its output.

use std::fmt;

/// The results of all test programs of a run.
#[derive(Default)]
pub struct Outcome {
    suites: Vec<Suite>,
    /// The program whose output is being read.
    current: String,
    failed_tests: Vec<String>,
    succeeded: bool,
}

struct Suite {
    name: String,
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Outcome {
    /// Takes one line of the output.
    pub fn read(&mut self, line: &str) {
        let line = plain(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            // Running unittests src/lib.rs (target/debug/deps/xtask-0123456789abcdef)
            ["Running", .., program] => self.current = suite(program),
            ["Doc-tests", name] => self.current = format!("{name} (documentation)"),
            ["test", .., "...", "FAILED"] => self.failed_tests.push(words[1].to_owned()),
            ["test", "result:", ..] => {
                // test result: ok. 9 passed; 0 failed; 1 ignored; …
                let count = |what: &str| {
                    let position = words.iter().position(|word| word.trim_end_matches(';') == what);
                    position.and_then(|at| words[at - 1].parse().ok()).unwrap_or(0)
                };
                self.suites.push(Suite {
                    name: std::mem::take(&mut self.current),
                    passed: count("passed"),
                    failed: count("failed"),
                    ignored: count("ignored"),
                });
            }
            _ => {}
        }
    }

    pub fn ended(&mut self, succeeded: bool) {
        self.succeeded = succeeded;
    }

    pub fn succeeded(&self) -> bool {
        self.succeeded
    }

    pub fn failed_tests(&self) -> &[String] {
        &self.failed_tests
    }

    /// How many tests ran.
    pub fn count(&self) -> usize {
        self.suites.iter().map(|suite| suite.passed + suite.failed).sum()
    }

    /// The line that tools which count tests read: `9 passed, 0 failed, 1 skipped`.
    pub fn closing_line(&self) -> String {
        let sum = |of: fn(&Suite) -> usize| self.suites.iter().map(of).sum::<usize>();
        let (passed, failed) = (sum(|suite| suite.passed), sum(|suite| suite.failed));
        format!("{passed} passed, {failed} failed, {} skipped", sum(|suite| suite.ignored))
    }
}

impl fmt::Display for Outcome {
    /// A line per program that has tests, then the names of failed tests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = |suite: &&Suite| suite.passed + suite.failed + suite.ignored > 0;
        let width = self.suites.iter().map(|suite| suite.name.len()).max().unwrap_or(0);
        for suite in self.suites.iter().filter(ran) {
            let Suite { name, passed, failed, ignored } = suite;
            writeln!(f, "  {name:width$}  {passed:4} passed {failed:4} failed {ignored:4} skipped")?;
        }
        for test in &self.failed_tests {
            writeln!(f, "  failed: {test}")?;
        }
        Ok(())
    }
}

/// `(target/debug/deps/harness-0123456789abcdef)` is suite `harness`.
fn suite(program: &str) -> String {
    let program = program.trim_matches(['(', ')']);
    let file = program.rsplit('/').next().unwrap_or(program);
    file.rsplit_once('-').map_or(file, |(name, _)| name).to_owned()
}

/// A line without the escape sequences that colour it.
fn plain(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut text = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        text.push_str(&part[end..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
\x1b[1m\x1b[32m     Running\x1b[0m unittests src/lib.rs (target/debug/deps/linkerd_tests-d8a0e3260b76e4bb)
running 2 tests
test port::tests::a_port_is_given_once ... ok
test process::tests::broken ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.04s
     Running tests/harness/main.rs (target/debug/deps/harness-8a7ad95ca7d8327c)
test result: ok. 8 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 11.75s
   Doc-tests linkerd_tests
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn results_are_counted_by_suite() {
        let mut outcome = Outcome::default();
        OUTPUT.lines().for_each(|line| outcome.read(line));
        assert_eq!(outcome.closing_line(), "10 passed, 1 failed, 1 skipped");
        assert_eq!(outcome.failed_tests(), ["process::tests::broken"]);
        let names: Vec<_> = outcome.suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(names, ["linkerd_tests", "harness", "linkerd_tests (documentation)"]);
    }
}
