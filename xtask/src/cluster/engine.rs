//! Clusters in containers of a docker engine, by kind and k3d.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Provider, state};
use crate::progress::heading;
use crate::{run, tools};

const NAME: &str = "linkerd-rs";

pub fn up(provider: Provider) -> Result<()> {
    let program = program(provider)?;
    state::begin(provider)?;
    heading(&format!("{} cluster {NAME}", provider.name()));
    let kubeconfig = state::kubeconfig();
    if !exists(provider, &program)? {
        match provider {
            Provider::K3d => run::visible(Command::new(&program).args([
                "cluster",
                "create",
                NAME,
                "--wait",
                "--timeout=5m",
                "--kubeconfig-update-default=false",
            ]))?,
            _ => run::visible(
                Command::new(&program)
                    .args(["create", "cluster", "--name", NAME, "--wait=5m", "--kubeconfig"])
                    .arg(&kubeconfig),
            )?,
        }
    }
    let printed = match provider {
        Provider::K3d => run::output(Command::new(&program).args(["kubeconfig", "get", NAME]))?,
        _ => run::output(Command::new(&program).args(["get", "kubeconfig", "--name", NAME]))?,
    };
    std::fs::write(&kubeconfig, printed).with_context(|| format!("cannot write {}", kubeconfig.display()))
}

pub fn down(provider: Provider) -> Result<()> {
    let program = program(provider)?;
    match provider {
        Provider::K3d => run::visible(Command::new(program).args(["cluster", "delete", NAME]))?,
        _ => run::visible(
            Command::new(program).args(["delete", "cluster", "--name", NAME, "--kubeconfig"]).arg(state::kubeconfig()),
        )?,
    }
    state::end()
}

pub fn load(provider: Provider, archives: &[PathBuf]) -> Result<()> {
    let program = program(provider)?;
    for archive in archives {
        let mut command = Command::new(&program);
        match provider {
            Provider::K3d => command.args(["image", "import", "--cluster", NAME]).arg(archive),
            _ => command.args(["load", "image-archive", "--name", NAME]).arg(archive),
        };
        run::visible(&mut command)?;
    }
    Ok(())
}

fn exists(provider: Provider, program: &Path) -> Result<bool> {
    let list: &[&str] = match provider {
        Provider::K3d => &["cluster", "list", "--no-headers"],
        _ => &["get", "clusters"],
    };
    let clusters = run::output(Command::new(program).args(list))?;
    Ok(clusters.lines().any(|line| line.split_whitespace().next() == Some(NAME)))
}

fn program(provider: Provider) -> Result<PathBuf> {
    match provider {
        Provider::K3d => Ok("k3d".into()),
        _ => tools::provide(tools::KIND),
    }
}
