//! What can compute, and which of these this build and this machine have.

use crate::nn::cuda_device;
use crate::problem::{Problem, Result};
use crate::remedy::Remedy;
use candle_core::{Device, Error};
use serde::{Deserialize, Serialize};

/// What computes.
#[derive(Debug, Clone)]
pub struct Machine {
    pub threads: usize,
    pub device: Device,
    /// Which kind `device` is.
    pub device_name: DeviceName,
}

impl Machine {
    /// All cores of this machine.
    pub fn cpu() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, device: Device::Cpu, device_name: DeviceName::Cpu }
    }

    /// The device called `name` with `threads` compute threads (all cores where not given).
    ///
    /// # Errors
    /// The device is not there, or this build cannot use it.
    pub fn new(name: &str, threads: Option<usize>) -> Result<Self> {
        let cpu = Self::cpu();
        let threads = threads.unwrap_or(cpu.threads);
        if !(1..=1024).contains(&threads) {
            return Err(Problem::input(
                format!("{threads} threads are not possible"),
                "the number must lie between 1 and 1024",
                "leave --threads away to use all cores",
            ));
        }
        let (device, device_name) = open(name)?;
        Ok(Self { threads, device, device_name })
    }
}

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
    /// Every kind, whether this build has it or not.
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

/// The device called `name`, ready to compute.
///
/// # Errors
/// There is no device of this name, it is not there, or this build cannot use it.
fn open(name: &str) -> Result<(Device, DeviceName)> {
    let Some(device) = DeviceName::ALL.into_iter().find(|device| device.name() == name) else {
        return Err(Problem::input(
            format!("there is no device {name:?}"),
            "the devices are cpu, cuda and metal",
            "choose one of these",
        ));
    };
    let opened = match device {
        DeviceName::Cpu => Ok(Device::Cpu),
        DeviceName::Cuda => cuda_device(0),
        DeviceName::Metal => Device::new_metal(0),
    };
    Ok((opened.map_err(|e| unusable(name, e))?, device))
}

/// What is lacking for a device to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// This program was built without it.
    Build,
    /// A driver that fits this program.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only CUDA's errors tell the driver apart"))]
    Driver,
    /// A device that the driver finds and that is free.
    Device,
}

fn unusable(name: &str, error: Error) -> Problem {
    let why = error.to_string().lines().next().unwrap_or_default().to_string();
    Problem::input(format!("the device {name:?} cannot be used"), why, remedy(name, lack(&error)))
}

fn remedy(name: &str, lack: Lack) -> Remedy {
    let other = match lack {
        Lack::Build => format!("build with `cargo build --release --features {name}`"),
        Lack::Driver => "install a driver that is as new as this program".to_string(),
        Lack::Device if name == "cuda" => {
            "see with `nvidia-smi` whether the driver finds a device that is free; CUDA_VISIBLE_DEVICES can hide one"
                .to_string()
        }
        Lack::Device => "make sure that this machine has such a device".to_string(),
    };
    Remedy::OtherDevice(other)
}

fn lack(error: &Error) -> Lack {
    match error {
        Error::WithBacktrace { inner, .. } => lack(inner),
        Error::NotCompiledWithCudaSupport | Error::NotCompiledWithMetalSupport => Lack::Build,
        #[cfg(feature = "cuda")]
        Error::Cuda(cause) if is_of_driver(cause.as_ref()) => Lack::Driver,
        _ => Lack::Device,
    }
}

/// Whether the driver refuses to work with this program, or with the rest of the system.
#[cfg(feature = "cuda")]
fn is_of_driver(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    use candle_core::cuda_backend::{CudaError, cudarc::driver::sys::CUresult};
    let refusals = [
        CUresult::CUDA_ERROR_STUB_LIBRARY,
        CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
        CUresult::CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE,
    ];
    matches!(cause.downcast_ref::<CudaError>(), Some(CudaError::Cuda(e)) if refusals.contains(&e.0))
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
        assert_eq!(Machine::cpu().device_name, DeviceName::Cpu);
        let silent = Absent::NoAnswer("no driver".into());
        let offer = DeviceOffer { device: DeviceName::Cuda, absent: Some(silent) };
        assert_eq!(offer.why_not(), Some("No CUDA device answers on this machine."));
    }

    #[test]
    fn the_remedy_suits_what_is_lacking() {
        let words = |name, lack| remedy(name, lack).on_command_line();
        for name in ["cuda", "metal"] {
            assert!(words(name, Lack::Build).ends_with(&format!("--features {name}`")));
            for lack in [Lack::Driver, Lack::Device] {
                assert!(!words(name, lack).contains("build"), "it was built with {name}");
            }
            for lack in [Lack::Build, Lack::Driver, Lack::Device] {
                assert!(words(name, lack).starts_with("use --device cpu, or "));
            }
        }
        assert!(words("cuda", Lack::Driver).contains("driver"));
        assert!(words("cuda", Lack::Device).contains("nvidia-smi"));
        assert!(!words("metal", Lack::Device).contains("nvidia"));
    }

    #[test]
    fn errors_tell_what_is_lacking_behind_a_backtrace_too() {
        for error in [Error::NotCompiledWithCudaSupport, Error::NotCompiledWithMetalSupport] {
            assert_eq!(lack(&error), Lack::Build);
            let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
            let inner = Box::new(error);
            assert_eq!(lack(&Error::WithBacktrace { inner, backtrace }), Lack::Build);
        }
        assert_eq!(lack(&Error::Cuda("no CUDA-capable device is detected".into())), Lack::Device);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_build_with_it() {
        let problem = open("cuda").unwrap_err();
        assert!(problem.why.contains("cuda"), "{problem}");
        assert!(problem.to_string().contains("--features cuda"), "{problem}");
    }

    /// With words of CUDA instead of a device: the tests of such a build may run where there is none.
    #[cfg(feature = "cuda")]
    #[test]
    fn a_build_with_cuda_tells_the_driver_from_the_device() {
        use candle_core::cuda_backend::{
            CudaError, cudarc::driver::DriverError, cudarc::driver::sys::CUresult,
        };
        let lack_of = |code| lack(&CudaError::Cuda(DriverError(code)).into());
        assert_eq!(lack_of(CUresult::CUDA_ERROR_NO_DEVICE), Lack::Device);
        assert_eq!(lack_of(CUresult::CUDA_ERROR_OUT_OF_MEMORY), Lack::Device);
        assert_eq!(lack_of(CUresult::CUDA_ERROR_STUB_LIBRARY), Lack::Driver);
        assert_eq!(lack_of(CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH), Lack::Driver);
    }

    #[test]
    fn an_unknown_name_lists_the_devices() {
        assert!(open("tpu").unwrap_err().why.contains("cpu, cuda and metal"));
    }
}
