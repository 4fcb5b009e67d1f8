//! Clients and connections that live as long as a scaler uses them, shared by all that have the same address and the same
//! credentials. A scaler that is built anew finds the connection of the one before it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The parts of an address and of credentials, in an order that the type of the connection fixes. It prints nothing.
pub(crate) type Parts = Vec<String>;

/// The connections by their type and key. Nobody's credentials are ever shown.
#[derive(Default)]
pub struct Connections(Mutex<Table>);

#[derive(Default)]
struct Table {
    held: HashMap<(TypeId, Parts), Weak<dyn Any + Send + Sync>>,
    /// Entries, dead ones included, above which it is swept.
    swept_at: usize,
}

/// Fewer entries than this are not swept.
const SWEPT_MIN: usize = 64;

impl Connections {
    /// The connection of type `T` for `key`, made if nobody holds one. `open` cannot wait: a connection that takes time is
    /// opened at its first use.
    pub(crate) fn get<T: Send + Sync + 'static>(&self, key: Parts, open: impl FnOnce() -> T) -> Arc<T> {
        let mut table = self.lock();
        let key = (TypeId::of::<T>(), key);
        let found = table.held.get(&key).and_then(Weak::upgrade).and_then(|found| found.downcast().ok());
        if let Some(found) = found {
            return found;
        }
        table.sweep();
        let made = Arc::new(open());
        let erased: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&made);
        table.held.insert(key, Arc::downgrade(&erased));
        made
    }

    /// How many are known, dead ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().held.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is consistent between any two of its operations; `open` is called before it changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Drops what nobody holds any more, each time the table has doubled.
    fn sweep(&mut self) {
        if self.held.len() >= self.swept_at.max(SWEPT_MIN) {
            self.held.retain(|_, held| held.strong_count() > 0);
            self.swept_at = self.held.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&str]) -> Parts {
        parts.iter().map(|&part| part.to_owned()).collect()
    }

    #[test]
    fn one_address_with_one_credential_is_one_connection_while_it_is_used() {
        let connections = Connections::default();
        let get = |address: &str, user: &str| connections.get(key(&[address, user]), || address.to_owned());
        let (first, second) = (get("a", "me"), get("a", "me"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &get("a", "you")) && !Arc::ptr_eq(&first, &get("b", "me")));
        let other_type = connections.get(key(&["a", "me"]), || 1_u8);
        assert_eq!((*other_type, first.as_str()), (1, "a"));
        let before = Arc::downgrade(&first);
        drop((first, second));
        assert!(before.upgrade().is_none());
        assert_eq!(get("a", "me").as_str(), "a");
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let connections = Connections::default();
        let kept = connections.get(key(&["kept"]), || 0_u8);
        for number in 1..1000_u32 {
            connections.get(vec![number.to_string()], || 0_u8);
        }
        assert!(connections.len() <= 2 * SWEPT_MIN, "{}", connections.len());
        assert!(Arc::ptr_eq(&kept, &connections.get(key(&["kept"]), || 0_u8)));
    }
}
