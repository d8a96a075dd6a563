//! The `nat` table as iptables prints it.

use super::rules::{Chain, Printed, Rule};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// The chains and rules that a save command printed.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    chains: BTreeSet<String>,
    rules: BTreeMap<String, Vec<Printed>>,
}

impl Saved {
    /// Reads the output of a save command. What it does not know it leaves out.
    pub fn parse(output: &str) -> Self {
        let mut saved = Self::default();
        for line in output.lines() {
            if let Some(chain) = line.strip_prefix(':').and_then(|rest| rest.split(' ').next()) {
                saved.chains.insert(chain.to_owned());
            } else if let Some(rule) = line.strip_prefix("-A ") {
                let mut words = words(rule).into_iter();
                let chain = words.next().unwrap_or_default();
                saved.rules.entry(chain).or_default().push(printed(words));
            }
        }
        saved
    }

    /// Whether the table has the chain.
    pub fn has_chain(&self, chain: Chain) -> bool {
        self.chains.contains(chain.name())
    }

    /// Whether the chain has exactly this rule, whatever its comment.
    pub fn has_rule(&self, rule: &Rule) -> bool {
        self.rules_of(rule.chain).contains(&rule.printed())
    }

    /// The rules of a chain, in order.
    pub fn rules_of(&self, chain: Chain) -> &[Printed] {
        self.rules.get(chain.name()).map_or(&[], Vec::as_slice)
    }
}

/// The options of a rule, apart from comments and the names of the modules that match.
fn printed(words: impl Iterator<Item = String>) -> Printed {
    let mut options = Printed::new();
    let mut words = words.peekable();
    let mut negation = "";
    while let Some(word) = words.next() {
        if word == "!" {
            negation = "! ";
            continue;
        }
        let value = words.next_if(|next| next != "!" && !next.starts_with('-')).unwrap_or_default();
        let value = match word.as_str() {
            "-m" | "--comment" => continue,
            "-s" | "-d" => value.parse::<IpNet>().map_or(value, |net| net.trunc().to_string()),
            _ => value,
        };
        options.insert(format!("{negation}{word}"), value);
        negation = "";
    }
    options
}

/// Splits at spaces, except within double quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                word.get_or_insert_default().push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rules::Action;

    const JUMP: Rule = Rule { chain: Chain::Prerouting, action: Action::Jump(Chain::Redirect) };

    fn has_jump(line: &str) -> bool {
        Saved::parse(&format!("*nat\n:PREROUTING ACCEPT [0:0]\n{line}\nCOMMIT\n")).has_rule(&JUMP)
    }

    // case 45
    #[test]
    fn only_an_unconditional_jump_to_our_chain_is_the_jump() {
        let ours =
            r#"-A PREROUTING -m comment --comment "proxy-init/install-proxy-init-prerouting" -j PROXY_INIT_REDIRECT"#;
        assert!(has_jump(ours));
        assert!(has_jump("-A PREROUTING -j PROXY_INIT_REDIRECT"));
        for other in [
            "-A PREROUTING -j PROXY_INIT_REDIRECT_OLD",
            "-A PREROUTING -p tcp -j PROXY_INIT_REDIRECT",
            "-A PREROUTING ! -i lo -j PROXY_INIT_REDIRECT",
            "-A PREROUTING -s 10.0.0.0/8 -m comment --comment \"-j PROXY_INIT_REDIRECT\" -j OTHER",
            "-A OUTPUT -j PROXY_INIT_REDIRECT",
            "-A PREROUTING -g PROXY_INIT_REDIRECT",
        ] {
            assert!(!has_jump(other), "{other}");
        }
    }

    #[test]
    fn quotes_and_negations_are_read() {
        let words = words(r#"A -m comment --comment "say \"no\" twice" ! -s 10.1.2.3/8"#);
        assert_eq!(words, ["A", "-m", "comment", "--comment", "say \"no\" twice", "!", "-s", "10.1.2.3/8"]);
        let options = printed(words.into_iter().skip(1));
        assert_eq!(options, [("! -s".to_owned(), "10.0.0.0/8".to_owned())].into());
    }
}
