//! Programs built from their Go modules.
//!
//! The modules are ordinary dependencies of an otherwise empty module, so that the checksum
//! database verifies them and nothing but the Go toolchain is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Tool;
use crate::progress::Step;
use crate::{run, tools};

pub struct GoModule {
    pub module: &'static str,
    /// The `main` package of the program.
    pub package: &'static str,
    pub version: &'static str,
    /// Variables that its own release build sets, so that the program knows its version.
    pub variables: &'static [(&'static str, &'static str)],
    /// What to expect of the build, for the progress line.
    pub about: &'static str,
}

/// The program of `module`, freshly built.
pub fn build(module: &GoModule, tool: &Tool) -> Result<PathBuf> {
    ensure!(
        run::succeeds(Command::new("go").arg("version")),
        "this machine has no Go toolchain (https://go.dev/doc/install)"
    );
    let folder = tools::build_folder(tool.name)?;
    let log = folder.join("log");
    let step = Step::start(format!("{} {}: building its Go module ({})", tool.name, module.version, module.about));
    fs::write(folder.join("go.mod"), "module tools\n")
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    for replacement in replacements(module, &folder)? {
        let flag = format!("-replace={replacement}");
        run::logged(go(&folder).args(["mod", "edit", &flag]), &log)?;
    }
    // Always with the version: without it the newest one is taken, whose siblings do not match.
    let wanted = format!("{}@{}", module.package, module.version);
    run::logged(go(&folder).args(["get", "-tool", &wanted]), &log)?;
    let program = folder.join(tool.name);
    run::logged(
        go(&folder)
            .args(["build", "-trimpath", "-ldflags", &linker_flags(module), "-o"])
            .arg(&program)
            .arg(module.package),
        &log,
    )?;
    step.finish("built");
    Ok(program)
}

fn go(folder: &Path) -> Command {
    let mut command = Command::new("go");
    // Neither the checkout around the folder nor a workspace of the person's has to do with it.
    command.current_dir(folder).envs([("CGO_ENABLED", "0"), ("GOWORK", "off"), ("GOFLAGS", "-buildvcs=false")]);
    command
}

/// `k8s.io/kubernetes` asks for its siblings at `v0.0.0`, which only its own repository has;
/// they are published as `v0.Y.Z` for Kubernetes `v1.Y.Z`.
fn replacements(module: &GoModule, folder: &Path) -> Result<Vec<String>> {
    let versioned = format!("{}@{}", module.module, module.version);
    let file = run::output(go(folder).args(["list", "-m", "-f", "{{.GoMod}}", &versioned]))?;
    let requirements = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    Ok(siblings(&requirements, module.version))
}

fn siblings(go_mod: &str, version: &str) -> Vec<String> {
    let published = version.replacen("v1.", "v0.", 1);
    go_mod
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            (words.next() == Some("v0.0.0")).then(|| format!("{name}={name}@{published}"))
        })
        .collect()
}

fn linker_flags(module: &GoModule) -> String {
    let mut flags = "-s -w".to_owned();
    for (variable, value) in module.variables {
        flags.push_str(&format!(" -X {variable}={value}"));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO_MOD: &str = "
require (
\tk8s.io/api v0.0.0
\tk8s.io/kube-openapi v0.0.0-20250910181357-589584f1c912
\tk8s.io/utils v0.0.0-20251002143259-bc988d571ff4
\tk8s.io/client-go v0.0.0 // indirect
)
";

    #[test]
    fn only_siblings_without_a_version_are_replaced() {
        assert_eq!(
            siblings(GO_MOD, "v1.35.4"),
            ["k8s.io/api=k8s.io/api@v0.35.4", "k8s.io/client-go=k8s.io/client-go@v0.35.4"]
        );
    }

    #[test]
    fn a_program_is_told_its_version() {
        let module = GoModule {
            module: "m",
            package: "m/cmd",
            version: "v1.35.4",
            variables: &[("m/version.major", "1"), ("m/version.minor", "35")],
            about: "",
        };
        assert_eq!(linker_flags(&module), "-s -w -X m/version.major=1 -X m/version.minor=35");
    }
}
