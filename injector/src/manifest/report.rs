//! What is said about a run, after its manifests.

const WARNING: char = '\u{203c}';
const SUCCESS: char = '\u{221a}';

/// Report of a run, for the standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// Annotations that were ignored or corrected while a proxy was written.
    pub notes: Vec<String>,
    /// What became of each object, a line each.
    pub summary: Vec<String>,
}

/// One check of a run's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was found, if anything.
    pub warning: Option<String>,
    /// What is said when nothing was found and the user wants to know.
    pub success: &'static str,
}

impl Report {
    /// The report as text. `is_verbose` adds the checks that found nothing.
    pub fn render(&self, is_verbose: bool) -> String {
        let mut text = String::from("\n");
        let mut printed = false;
        for check in &self.checks {
            match &check.warning {
                Some(warning) => text.push_str(&format!("{WARNING} {warning}\n")),
                None if is_verbose => text.push_str(&format!("{SUCCESS} {}\n", check.success)),
                None => continue,
            }
            printed = true;
        }
        for note in &self.notes {
            text.push_str(&format!("{WARNING} {note}\n"));
            printed = true;
        }
        if printed || is_verbose {
            text.push('\n');
        }
        for line in &self.summary {
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
        text
    }
}

/// A line of the summary.
pub fn line(kind: &str, name: &str, what: &str) -> String {
    if kind.is_empty() {
        "document missing \"kind\" field, skipped".to_owned()
    } else {
        format!("{kind} \"{name}\" {what}")
    }
}

/// Collects findings about objects.
#[derive(Default)]
pub struct Findings {
    /// Share their node's network.
    pub host_network: Vec<String>,
    /// Have a proxy already.
    pub sidecar: Vec<String>,
    /// Opt out.
    pub disabled: Vec<String>,
    /// Have UDP ports.
    pub udp: Vec<String>,
    /// Annotations that were ignored or corrected.
    pub notes: Vec<String>,
    /// Whether any object is of a kind that is treated.
    pub any_supported: bool,
}

impl Findings {
    /// The report of a run.
    pub fn into_report(self, summary: Vec<String>) -> Report {
        Report { checks: self.checks(), notes: self.notes, summary }
    }

    fn checks(&self) -> Vec<Check> {
        let list = |objects: &[String], text: &dyn Fn(String) -> String| {
            (!objects.is_empty()).then(|| text(objects.join(", ")))
        };
        let verb = if self.udp.len() > 1 { "use" } else { "uses" };
        vec![
            Check {
                warning: list(&self.host_network, &|objects| format!("\"hostNetwork: true\" detected in {objects}")),
                success: "pods do not use host networking",
            },
            Check {
                warning: list(&self.sidecar, &|objects| format!("known 3rd party sidecar detected in {objects}")),
                success: "pods do not have a 3rd party proxy or initContainer already injected",
            },
            Check {
                warning: list(&self.disabled, &|objects| {
                    format!("\"linkerd.io/inject: disabled\" annotation set on {objects}")
                }),
                success: "pods are not annotated to disable injection",
            },
            Check {
                warning: (!self.any_supported).then(|| "no supported objects found".to_owned()),
                success: "at least one resource can be injected or annotated",
            },
            Check {
                warning: list(&self.udp, &|objects| format!("{objects} {verb} \"protocol: UDP\"")),
                success: "pod specs do not include UDP ports",
            },
            Check {
                // A finding here is an error, so that a report can only be good.
                warning: None,
                success: "pods do not have automountServiceAccountToken set to \"false\" or service account token \
                          projection is enabled",
            },
        ]
    }
}
