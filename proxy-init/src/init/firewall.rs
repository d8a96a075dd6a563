//! Puts a plan in force: read, apply, read back.

use super::{
    Execution,
    command::{self, Runner, find},
    log::Log,
    namespace::{self, Namespace},
};
use crate::core::{
    backend::{Choice, Family, Programs},
    config::Config,
    plan::Plan,
    saved::Saved,
};

/// Seconds to wait for the lock of iptables, unless told to wait as long as it takes.
const LOCK_SECONDS: u32 = 30;

/// Why the rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program failed. The rules of its IP version are as they were.
    #[error(
        "{0}; the rules are as they were. The container needs the capabilities NET_ADMIN and NET_RAW, a writable \
         /run, and an --iptables-mode that the node's kernel supports"
    )]
    Command(#[from] command::Error),
    /// There is no such namespace.
    #[error(transparent)]
    Namespace(#[from] namespace::Error),
    /// The rules were applied, but are not what is in force.
    #[error(
        "the {family} rules that are in force are not those that were applied: {}; \
         look for another program that changes the nat table of this pod",
        .differences.join("; ")
    )]
    Differs {
        /// IP version.
        family: Family,
        /// What is not as it should be.
        differences: Vec<String>,
    },
}

/// Puts the rules in force, for IPv4 and then for IPv6. Done twice, it changes nothing.
///
/// # Errors
/// When a program fails, or the rules in force afterwards are not those of `config`. What was in
/// force for that IP version before stays in force.
pub fn configure(config: &Config, execution: &Execution, log: &Log) -> Result<(), Error> {
    let runner = Runner { log, netns: execution.netns.as_deref() };
    // Kept until all is done: it also keeps other runs away.
    let namespace = match execution.simulate {
        true => None,
        false => Some(Namespace::open(runner.netns, log)?),
    };
    if let Some(seconds) = execution.close_wait_seconds {
        set_close_wait(&runner, seconds, execution.simulate)?;
    }
    for family in config.families() {
        let pass = Pass { config, family: *family, execution, runner: &runner };
        match (pass.run(), &namespace) {
            (Err(Error::Command(error)), Some(namespace)) if *family == Family::V6 && error.ran() => {
                // If it cannot be told, there may be one, and its traffic must not go around the proxy.
                if namespace.has_ipv6_address().unwrap_or(true) {
                    return Err(error.into());
                }
                let message = "IPv6 is not redirected: this kernel does not support it, and no address needs it";
                log.warn(message, &[("error", &error.to_string())]);
            }
            (result, _) => result?,
        }
    }
    Ok(())
}

fn set_close_wait(runner: &Runner<'_>, seconds: i64, simulate: bool) -> Result<(), Error> {
    let setting = format!("net.netfilter.nf_conntrack_tcp_timeout_close_wait={seconds}");
    let line = runner.line("sysctl", &["-w".to_owned(), setting]);
    if simulate {
        runner.log.info(&line.to_string());
        return Ok(());
    }
    runner.run(&line, "").inspect_err(|error| runner.log.error(&error.to_string()))?;
    Ok(())
}

/// What is done for one IP version.
struct Pass<'a> {
    config: &'a Config,
    family: Family,
    execution: &'a Execution,
    runner: &'a Runner<'a>,
}

impl Pass<'_> {
    fn run(&self) -> Result<(), Error> {
        let programs = self.programs();
        let saved = self.save(&programs).inspect_err(|_| self.runner.log.error("aborting firewall configuration"))?;
        let plan = Plan::new(self.config, self.family, &saved);
        self.apply(&programs, &plan)?;
        let saved = self.save(&programs)?;
        if self.execution.simulate {
            return Ok(());
        }
        match plan.differences(&saved) {
            differences if differences.is_empty() => Ok(()),
            differences => Err(Error::Differs { family: self.family, differences }),
        }
    }

    fn programs(&self) -> Programs {
        let choice = Choice::make(self.family, self.config.mode, |name| find(name).is_some());
        match &choice {
            Choice::Requested(_) => {}
            Choice::Fallback { requested, found } => self.runner.log.warn(
                "iptables: configured binaries not found; applying fallback to available binaries",
                &[
                    ("requested", &requested.rules),
                    ("requestedSave", &requested.save),
                    ("fallback", &found.rules),
                    ("fallbackSave", &found.save),
                ],
            ),
            Choice::Missing(_) => {
                self.runner.log.error("iptables: no suitable binaries found on PATH; commands may fail");
            }
        }
        choice.programs().clone()
    }

    /// What the table holds; nothing in a simulation.
    fn save(&self, programs: &Programs) -> Result<Saved, command::Error> {
        let line = self.runner.line(&programs.save, &["-t".to_owned(), "nat".to_owned()]);
        if self.execution.simulate {
            self.runner.log.info(&line.to_string());
            return Ok(Saved::default());
        }
        Ok(Saved::parse(&self.runner.run(&line, "")?))
    }

    /// Logs every change as the single command that it amounts to, then makes all of them at once.
    fn apply(&self, programs: &Programs, plan: &Plan) -> Result<(), command::Error> {
        for mut arguments in plan.commands() {
            if self.execution.wait_without_limit {
                arguments.push("-w".to_owned());
            }
            self.runner.log.info(&self.runner.line(&programs.rules, &arguments).to_string());
        }
        if self.execution.simulate {
            return Ok(());
        }
        let wait = match self.execution.wait_without_limit {
            true => "-w".to_owned(),
            false => format!("--wait={LOCK_SECONDS}"),
        };
        let line = self.runner.line(&programs.restore, &["--noflush".to_owned(), wait]);
        self.runner.run(&line, &plan.transaction()).map(drop)
    }
}
