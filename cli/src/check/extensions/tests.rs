use super::*;
use std::{fs, os::unix::fs::PermissionsExt as _};

/// A folder of scripts.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(scripts: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    fn program(&self, name: &str) -> Program {
        Program { name: name.to_owned(), path: self.0.path().join(name) }
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

// Acceptance case 37 of the command line.
#[test]
fn of_two_programs_with_one_name_the_first_on_the_path_counts() {
    let (a, b) = (
        Folder::with(&[("linkerd-bar", ""), ("other", "")]),
        Folder::with(&[("linkerd-bar", ""), ("linkerd-foo", "")]),
    );
    fs::write(a.0.path().join("linkerd-text"), "no program").unwrap();
    let missing = std::path::Path::new("/nowhere").to_owned();
    let path = std::env::join_paths([a.0.path().to_owned(), missing, b.0.path().to_owned()]).unwrap();
    let found: Vec<Program> = on_path(&path).into_values().collect();
    assert_eq!(found, [a.program("linkerd-bar"), b.program("linkerd-foo")]);
}

#[tokio::test]
async fn a_program_is_always_checked_when_it_says_so_of_its_own_name() {
    let folder = Folder::with(&[
        ("linkerd-a", r#"[ "$1" = _extension-metadata ] && echo '{"name": "Linkerd-A", "checks": "always"}'"#),
        ("linkerd-b", r#"echo '{"name": "linkerd-x", "checks": "always"}'"#),
        ("linkerd-c", r#"echo '{"name": "linkerd-c", "checks": "never"}'"#),
        ("linkerd-d", "echo no JSON"),
    ]);
    assert!(says_always(&folder.program("linkerd-a")).await);
    for name in ["linkerd-b", "linkerd-c", "linkerd-d", "linkerd-missing"] {
        assert!(!says_always(&folder.program(name)).await, "{name}");
    }
}

#[test]
fn what_is_always_checked_or_installed_is_run_and_the_rest_is_missing() {
    let folder = Folder::with(&[]);
    let programs = ["linkerd-a", "linkerd-b", "linkerd-c"].map(|name| (name.to_owned(), folder.program(name)));
    let found = BTreeMap::from(programs);
    let plan = plan(&found, &names(&["linkerd-c"]), &names(&["b", "viz", "multicluster"]));
    assert_eq!(plan.run, [&found["linkerd-b"], &found["linkerd-c"]]);
    assert_eq!(plan.missing, ["linkerd-multicluster", "linkerd-viz"]);
}

#[tokio::test]
async fn what_a_program_reports_is_taken_over() {
    let report = r#"{"success": true, "categories": [{"categoryName": "c", "checks": [{"description": "d", "result": "success"}]}]}"#;
    let folder = Folder::with(&[("linkerd-a", &format!("[ \"$1\" = check ] && echo '{report}'"))]);
    let parsed = check(&folder.program("linkerd-a"), &["check".to_owned()], GRACE).await;
    assert!(parsed.is_success);
    assert_eq!((parsed.entries[0].category.as_str(), &parsed.entries[0].outcome), ("c", &Outcome::Passed));
}

// Acceptance case 38 of the command line.
#[tokio::test]
async fn output_that_is_no_report_is_a_failure_under_the_name_of_the_program() {
    let folder = Folder::with(&[("linkerd-a", "echo nonsense"), ("linkerd-b", "echo broken >&2; exit 3")]);
    for (name, said) in [("linkerd-a", "nonsense"), ("linkerd-b", "broken"), ("linkerd-missing", "No such file")] {
        let parsed = check(&folder.program(name), &["check".to_owned()], GRACE).await;
        assert!(!parsed.is_success);
        let [Entry { category, description, hint, outcome: Outcome::Failed(reason) }] = &parsed.entries[..] else {
            panic!("{parsed:?}")
        };
        assert_eq!(category, name);
        assert!(
            description.starts_with("Running: ") && description.ends_with(&format!("{name} check")),
            "{description}"
        );
        assert_eq!(hint.as_deref(), Some("https://linkerd.io/2/checks/#extensions"));
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn a_program_that_hangs_is_stopped() {
    let folder = Folder::with(&[("linkerd-a", "exec sleep 60")]);
    let parsed = check(&folder.program("linkerd-a"), &[], Duration::from_millis(50)).await;
    assert!(matches!(&parsed.entries[0].outcome, Outcome::Failed(reason) if reason.contains("no answer within")));
}

#[test]
fn options_are_passed_on_and_groups_one_by_one() {
    let words = "linkerd --context c --as u --as-group a --as-group b -L l5d check";
    let arguments = <crate::arguments::Arguments as clap::Parser>::parse_from(words.split(' '));
    let global = arguments.global.resolve(None).unwrap();
    let flags = Flags { global: &global, namespace: None, proxy: true, wait: Duration::from_secs(90) };
    let expected = "check --context=c --as=u --linkerd-namespace=l5d --as-group=a --as-group=b --verbose=false \
                    --proxy=true --wait=90000ms --output=json";
    assert_eq!(flags.arguments().join(" "), expected);
}
