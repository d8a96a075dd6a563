//! Members: Services that another Service stands for.

use std::sync::Arc;

/// Most members of a federated Service; each costs something, and there are not that many clusters.
pub const MAX_MEMBERS: usize = 128;

/// A Service that another one in a namespace of the same name stands for. Those of this cluster are less
/// than all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Cluster that it is in; absent for this one.
    pub cluster: Option<Arc<str>>,
    /// Name.
    pub service: Arc<str>,
}

/// What a list of members in other clusters says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteMembers<'a> {
    /// Names of Services and of their clusters.
    pub members: Vec<(&'a str, &'a str)>,
    /// Entries that are none.
    pub malformed: Vec<&'a str>,
}

impl<'a> RemoteMembers<'a> {
    /// Reads `<service>@<cluster>`, any number of them, with commas between. An entry that has not exactly
    /// one `@` with a name on either side is malformed.
    pub fn parse(list: &'a str) -> Self {
        let mut read = Self::default();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.split_once('@') {
                Some((service, cluster)) if !service.is_empty() && !cluster.is_empty() && !cluster.contains('@') => {
                    read.members.push((service, cluster));
                }
                _ => read.malformed.push(entry),
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Case 87.
    #[test]
    fn an_entry_that_is_no_member_spoils_no_other() {
        let read = RemoteMembers::parse(" bb@east,,bb@north@x, @west,bb@,bb,@, cc@west ,");
        assert_eq!(read.members, [("bb", "east"), ("cc", "west")]);
        assert_eq!(read.malformed, ["bb@north@x", "@west", "bb@", "bb", "@"]);
        assert_eq!(RemoteMembers::parse(""), RemoteMembers::default());
    }
}
