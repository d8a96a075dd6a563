//! The rules of one IP version, as commands to read and as one transaction to apply.

use super::{
    backend::Family,
    config::Config,
    ports::groups,
    rules::{Action, Chain, Printed, Rule},
    saved::Saved,
};
use std::fmt::Write;

/// What is to be true of the `nat` table, and what must be done for it.
#[derive(Clone, Debug)]
pub struct Plan {
    steps: Vec<Step>,
    rules: Vec<Rule>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Makes a chain, or empties it.
    Chain { chain: Chain, exists: bool },
    /// Adds a rule at the end of its chain.
    Append(Rule),
}

impl Plan {
    /// What to do for one IP version, given what its table holds.
    pub fn new(config: &Config, family: Family, saved: &Saved) -> Self {
        let mut steps = Vec::new();
        let mut rules = incoming(config, family);
        rules.extend(outgoing(config));
        for (ours, kernels) in Chain::OURS {
            steps.push(Step::Chain { chain: ours, exists: saved.has_chain(ours) });
            steps.extend(rules.iter().filter(|rule| rule.chain == ours).cloned().map(Step::Append));
            let jump = jump(kernels, ours);
            if !saved.has_rule(&jump) {
                steps.push(Step::Append(jump));
            }
        }
        Self { steps, rules }
    }

    /// The changes as arguments of single iptables commands, in order: what the transaction amounts to.
    pub fn commands(&self) -> Vec<Vec<String>> {
        let command = |step: &Step| {
            let mut arguments = match step {
                Step::Chain { chain, exists: false } => vec!["-N".to_owned(), chain.to_string()],
                Step::Chain { chain, exists: true } => vec!["-F".to_owned(), chain.to_string()],
                Step::Append(rule) => [vec!["-A".to_owned()], rule.arguments()].concat(),
            };
            arguments.splice(0..0, ["-t".to_owned(), "nat".to_owned()]);
            arguments
        };
        self.steps.iter().map(command).collect()
    }

    /// The changes as input of `iptables-restore --noflush`, which makes them all at once or none.
    pub fn transaction(&self) -> String {
        let (mut chains, mut rules) = (String::new(), String::new());
        for step in &self.steps {
            // Writing to a string cannot fail.
            let _ = match step {
                // This line makes a chain or empties it, so that it does not matter if the chain
                // came to be or went after the table was printed.
                Step::Chain { chain, .. } => writeln!(chains, ":{chain} - [0:0]"),
                Step::Append(rule) => writeln!(rules, "-A {}", rule.arguments().join(" ")),
            };
        }
        format!("*nat\n{chains}{rules}COMMIT\n")
    }

    /// How the table differs from what it should hold; nothing if all is well.
    pub fn differences(&self, saved: &Saved) -> Vec<String> {
        let mut differences = Vec::new();
        for (ours, kernels) in Chain::OURS {
            let expected: Vec<_> = self.rules.iter().filter(|rule| rule.chain == ours).collect();
            let found = saved.rules_of(ours);
            for (index, rule) in expected.iter().enumerate() {
                if found.get(index) != Some(&rule.printed()) {
                    differences.push(format!("rule {} of {ours} is not `{}`", index + 1, rule.arguments().join(" ")));
                }
            }
            let surplus = found.get(expected.len()..).unwrap_or_default();
            differences.extend(surplus.iter().map(|rule| format!("{ours} also has `{}`", text(rule))));
            if !saved.has_rule(&jump(kernels, ours)) {
                differences.push(format!("{kernels} has no jump to {ours}"));
            }
        }
        differences
    }
}

/// The commands that take everything away again, as arguments of iptables.
pub fn cleanup() -> Vec<Vec<String>> {
    let jumps = Chain::OURS.map(|(ours, kernels)| [vec!["-D".to_owned()], jump(kernels, ours).arguments()].concat());
    let chains = |flag: &'static str| {
        [Chain::RedirectOutput, Chain::Redirect].map(move |chain| vec![flag.to_owned(), chain.to_string()])
    };
    let table = || ["-t".to_owned(), "nat".to_owned()].into_iter();
    let commands = jumps.into_iter().chain(chains("-F")).chain(chains("-X"));
    commands.map(|arguments| table().chain(arguments).collect()).collect()
}

fn jump(from: Chain, to: Chain) -> Rule {
    Rule { chain: from, action: Action::Jump(to) }
}

fn incoming(config: &Config, family: Family) -> Vec<Rule> {
    let ignored = groups(&config.ignore_inbound).into_iter().map(Action::IgnorePorts);
    let subnets = config.ignore_subnets.iter().filter(|subnet| subnet.family() == family).cloned();
    let mut actions: Vec<_> = ignored.chain(subnets.map(Action::IgnoreSubnet)).collect();
    let to = config.incoming_port;
    if config.redirect.is_empty() {
        actions.push(Action::RedirectIncoming(to));
    }
    actions.extend(config.redirect.iter().map(|port| Action::RedirectPort { port: *port, to }));
    in_chain(Chain::Redirect, actions)
}

fn outgoing(config: &Config) -> Vec<Rule> {
    let mut actions: Vec<_> = config.uid.map(Action::IgnoreUser).into_iter().collect();
    actions.extend(config.gid.map(Action::IgnoreGroup));
    actions.push(Action::IgnoreLoopback);
    actions.extend(groups(&config.ignore_outbound).into_iter().map(Action::IgnorePorts));
    actions.push(Action::RedirectOutgoing(config.outgoing_port));
    in_chain(Chain::RedirectOutput, actions)
}

fn in_chain(chain: Chain, actions: Vec<Action>) -> Vec<Rule> {
    actions.into_iter().map(|action| Rule { chain, action }).collect()
}

fn text(rule: &Printed) -> String {
    rule.iter().map(|(option, value)| format!("{option} {value}")).collect::<Vec<_>>().join(" ")
}
