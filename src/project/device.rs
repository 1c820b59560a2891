//! What can compute, and which of these this build and this machine have.

use super::Machine;
use serde::{Deserialize, Serialize};

/// A kind of device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceName {
    #[default]
    Cpu,
    Cuda,
    Metal,
}

/// A device, and why it cannot be used where it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceOffer {
    pub device: DeviceName,
    pub absent: Option<Absent>,
}

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// This build of Frostline was made without it.
    NotBuilt,
    /// It was asked and did not answer; holds what its driver said.
    NoAnswer(String),
}

impl DeviceName {
    pub const ALL: [DeviceName; 3] = [Self::Cpu, Self::Cuda, Self::Metal];

    /// As [`Machine::new`] and the command line call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }

    /// As people write it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Cuda => "CUDA",
            Self::Metal => "Metal",
        }
    }

    /// The device that a machine computes on.
    pub fn of(machine: &Machine) -> Self {
        Self::ALL.into_iter().find(|device| device.name() == machine.device_name).unwrap_or_default()
    }

    fn is_built(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => candle_core::utils::cuda_is_available(),
            Self::Metal => candle_core::utils::metal_is_available(),
        }
    }
}

impl DeviceOffer {
    /// Asks the device; its driver may take a second to answer for the first time.
    pub fn of(device: DeviceName) -> Self {
        let absent = match device.is_built() {
            false => Some(Absent::NotBuilt),
            true => Machine::new(device.name(), None).err().map(|problem| Absent::NoAnswer(problem.why)),
        };
        Self { device, absent }
    }

    /// Why it cannot be used, in words; `None` where it can.
    pub fn why_not(&self) -> Option<&'static str> {
        let absent = self.absent.as_ref()?;
        Some(match (self.device, absent) {
            (DeviceName::Cpu, _) => "This machine's processor does not answer.",
            (DeviceName::Cuda, Absent::NotBuilt) => "This build has no CUDA.",
            (DeviceName::Cuda, Absent::NoAnswer(_)) => "No CUDA device answers on this machine.",
            (DeviceName::Metal, Absent::NotBuilt) => "This build has no Metal.",
            (DeviceName::Metal, Absent::NoAnswer(_)) => "No Metal device answers on this machine.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_is_there_or_says_why_not() {
        for device in DeviceName::ALL {
            let offer = DeviceOffer::of(device);
            assert_eq!(offer.why_not().is_none(), Machine::new(device.name(), None).is_ok(), "{offer:?}");
        }
        assert_eq!(DeviceOffer::of(DeviceName::Cpu).absent, None);
        assert_eq!(DeviceName::of(&Machine::cpu()), DeviceName::Cpu);
        let silent = Absent::NoAnswer("no driver".into());
        let offer = DeviceOffer { device: DeviceName::Cuda, absent: Some(silent) };
        assert_eq!(offer.why_not(), Some("No CUDA device answers on this machine."));
    }
}
