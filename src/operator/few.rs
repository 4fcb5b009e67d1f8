//! A set of few members. Of the indexes most sets have a single one, for which a tree of the standard library allocates a node for
//! eleven.

/// A sorted vector without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Few<T> {
    pub(crate) fn insert(&mut self, member: T) {
        if let Err(at) = self.0.binary_search(&member) {
            if self.0.is_empty() {
                // A first push would make room for four.
                self.0.reserve_exact(1);
            }
            self.0.insert(at, member);
        }
    }

    pub(crate) fn remove(&mut self, member: &T) {
        if let Ok(at) = self.0.binary_search(member) {
            self.0.remove(at);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members that `other` has not.
    pub(crate) fn without(&self, other: &Self) -> Vec<T>
    where
        T: Clone,
    {
        self.0.iter().filter(|member| other.0.binary_search(member).is_err()).cloned().collect()
    }
}

impl<'a, T: Ord> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut few = Self::default();
        members.into_iter().for_each(|member| few.insert(member));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_there_once() {
        let mut few: Few<_> = [3, 1, 2, 1].into_iter().collect();
        few.insert(2);
        assert_eq!(few.0, [1, 2, 3]);
        few.remove(&2);
        few.remove(&7);
        assert!((&few).into_iter().eq(&[1, 3]) && !few.is_empty());
        assert_eq!(few.without(&[3, 4].into_iter().collect()), [1]);
        assert!(Few::<u8>::default().is_empty());
    }
}
