//! Objects by namespace and name.

use crate::core::key::Key;
use linkerd_k8s::ObjectId;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Objects of one kind, by namespace and name.
#[derive(Debug)]
pub struct Namespaced<V>(HashMap<Arc<str>, HashMap<Arc<str>, V>>);

impl<V> Default for Namespaced<V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<V> Namespaced<V> {
    /// An object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&V> {
        self.0.get(namespace)?.get(name)
    }

    /// An object, by its key.
    pub fn at(&self, key: &Key) -> Option<&V> {
        self.get(&key.namespace, &key.name)
    }

    /// An object, to be changed.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        self.0.get_mut(&key.namespace)?.get_mut(&key.name)
    }

    /// An object with its key.
    pub fn get_key_value(&self, namespace: &str, name: &str) -> Option<(Key, &V)> {
        let (namespace, objects) = self.0.get_key_value(namespace)?;
        let (name, value) = objects.get_key_value(name)?;
        Some((Key::new(namespace, name), value))
    }

    /// An object, made when there is none.
    pub fn entry(&mut self, key: &Key) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key.namespace.clone()).or_default().entry(key.name.clone()).or_default()
    }

    /// Adds or replaces an object; returns the one that was there.
    pub fn insert(&mut self, key: &Key, value: V) -> Option<V> {
        self.0.entry(key.namespace.clone()).or_default().insert(key.name.clone(), value)
    }

    /// Removes an object.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<(Key, V)> {
        let objects = self.0.get_mut(namespace)?;
        let (name, value) = objects.remove_entry(name)?;
        let is_empty = objects.is_empty();
        let (namespace, _) = self.0.get_key_value(namespace)?;
        let key = Key::new(namespace, &name);
        if is_empty {
            self.0.remove(&key.namespace);
        }
        Some((key, value))
    }

    /// The objects of a namespace, in no order.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.0.get(namespace).into_iter().flatten()
    }

    /// All objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        let named = |(namespace, objects)| Namespaced::named(namespace, objects);
        self.0.iter().flat_map(named)
    }

    fn named<'a>(namespace: &'a Arc<str>, objects: &'a HashMap<Arc<str>, V>) -> impl Iterator<Item = (Key, &'a V)> {
        objects.iter().map(move |(name, value)| (Key::new(namespace, name), value))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }

    /// Names of the objects that a complete list lacks.
    pub fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        let ids = self.iter().map(|(key, _)| ObjectId::new(&*key.namespace, &*key.name));
        ids.filter(|id| !live.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_forgotten_with_its_last_object() {
        let mut objects = Namespaced::default();
        let key = Key { namespace: "n".into(), name: "web".into() };
        assert_eq!(objects.insert(&key, 1), None);
        assert_eq!(objects.insert(&key, 2), Some(1));
        assert_eq!(objects.get("n", "web"), Some(&2));
        assert_eq!(objects.remove("n", "none"), None);
        assert_eq!(objects.remove("n", "web"), Some((key, 2)));
        assert!(objects.0.is_empty());
    }
}
