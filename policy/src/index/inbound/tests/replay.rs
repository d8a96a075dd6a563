//! Whatever the order of events, watches see what a fresh computation of the final state would give.

use super::*;
use crate::testing::random::{Event, NAMES, NAMESPACES, feed, inbound_event};
use proptest::prelude::*;

type PortId = (WorkloadId, u16);

fn ports() -> Vec<PortId> {
    let mut ports = Vec::new();
    for namespace in NAMESPACES {
        for name in NAMES {
            for kind in [WorkloadKind::Pod, WorkloadKind::ExternalWorkload] {
                ports.extend([80, 81, 82].map(|port| (workload(namespace, kind, name), port)));
            }
        }
    }
    ports
}

pub(super) fn feed_all(index: &mut InboundIndex, event: &Event) {
    feed::<Pod, _>(index, event);
    feed::<ExternalWorkload, _>(index, event);
    feed::<Server, _>(index, event);
    feed::<ServerAuthorization, _>(index, event);
    feed::<AuthorizationPolicy, _>(index, event);
    feed::<MeshTlsAuthentication, _>(index, event);
    feed::<NetworkAuthentication, _>(index, event);
}

/// An index that hears of the last event of each object alone, in another order.
fn recomputed(events: &[Event]) -> InboundIndex {
    let mut index = InboundIndex::new(Arc::new(config()));
    let last: BTreeMap<_, _> = events.iter().map(|event| ((event.kind, &event.id), event)).collect();
    last.into_values().rev().for_each(|event| feed_all(&mut index, event));
    index
}

fn newest(watch: &Watch) -> Option<InboundServer> {
    watch.0.updates.borrow().as_ref().map(|snapshot| snapshot.policy.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn watches_see_what_a_fresh_computation_gives(events in prop::collection::vec(inbound_event(), 1..60)) {
        let index = Index::new();
        let mut watches: BTreeMap<PortId, Watch> = BTreeMap::new();
        for (i, event) in events.iter().enumerate() {
            feed_all(&mut index.0.lock(), event);
            // Proxies come at any time, and come back when their watch ends.
            let due = ports().into_iter().enumerate().filter(|(port, _)| port % 7 == i % 7);
            for (_, key) in due {
                if watches.get(&key).is_none_or(Watch::has_ended) {
                    let watch = Watch(InboundIndex::watch(&index.0, &key.0, key.1));
                    watches.insert(key, watch);
                }
            }
        }
        let expected = recomputed(&events);
        for (key, watch) in &watches {
            let policy = expected.policy(&key.0, key.1);
            prop_assert!(watch.has_ended() || newest(watch) == policy, "{:?}", key);
            prop_assert_eq!(&index.0.lock().policy(&key.0, key.1), &policy, "{:?}", key);
            if let Some(policy) = &policy {
                validated_inbound(policy);
            }
        }
        drop(watches);
        prop_assert_eq!(index.0.lock().distinct_policies(), 0);
        for event in &events {
            feed_all(&mut index.0.lock(), &Event { object: None, ..event.clone() });
        }
        prop_assert!(index.0.lock().namespaces.is_empty());
        prop_assert_eq!(index.0.lock().problems().count(), 0);
    }

    /// Only authentications are asked for across namespaces.
    #[test]
    fn objects_of_one_namespace_change_nothing_in_another(
        before in prop::collection::vec(inbound_event(), 0..30),
        after in prop::collection::vec(inbound_event(), 1..30),
    ) {
        let index = Index::new();
        before.iter().for_each(|event| feed_all(&mut index.0.lock(), event));
        let keys: Vec<PortId> = ports().into_iter().filter(|(workload, _)| &*workload.namespace == "m").collect();
        let mut watches: Vec<Watch> =
            keys.iter().map(|(workload, port)| Watch(InboundIndex::watch(&index.0, workload, *port))).collect();
        watches.iter_mut().for_each(|watch| drop(watch.news()));
        let is_shared = |kind: &str| [MeshTlsAuthentication::KIND, NetworkAuthentication::KIND].contains(&kind);
        for event in after.iter().filter(|event| event.id.namespace == "n" && !is_shared(event.kind)) {
            feed_all(&mut index.0.lock(), event);
        }
        for watch in &mut watches {
            prop_assert_eq!(watch.news(), None);
            prop_assert!(!watch.has_ended());
        }
    }
}
