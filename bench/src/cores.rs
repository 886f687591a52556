//! Which core does what.

use crate::Failure;

/// One core for the proxy under test, another for those who call it and answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) proxy: usize,
    pub(crate) rest: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    ///
    /// # Errors
    /// There is only one, or the kernel does not say.
    pub(crate) fn choose() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status").map_err(Failure::of("/proc/self/status cannot be read"))?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let cores = cores_of(list.trim());
        match cores[..] {
            [proxy, rest, ..] => Ok(Self { proxy, rest }),
            [_] | [] => Err(Failure::new(format!(
                "two cores are needed, one for the proxy and one for load and backend; this process may use: {}",
                list.trim()
            ))),
        }
    }
}

/// The first cores of a list such as `0-1,4`.
fn cores_of(list: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cores.extend((first..=last).take(2));
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_lists_are_read() {
        let check = |list, expected: &[usize]| assert_eq!(cores_of(list), expected, "{list}");
        check("0-1", &[0, 1]);
        check("0-127", &[0, 1]);
        check("3,5-6", &[3, 5, 6]);
        check("2", &[2]);
        check("", &[]);
    }
}
