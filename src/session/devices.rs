//! What computes: the choice in the top bar.

use super::{Effect, Session};
use crate::project::device::{Absent, DeviceName, DeviceOffer};
use crate::worker::{Command, Long};

impl Session {
    /// `CPU, 8 threads`; `CUDA`.
    pub fn device_words(&self) -> String {
        match self.device {
            DeviceName::Cpu => format!("CPU, {} threads", self.threads),
            DeviceName::Cuda | DeviceName::Metal => self.device.words().to_string(),
        }
    }

    /// Why jobs cannot be done on `device` from now on.
    pub(super) fn why_not_device(&self, device: DeviceName) -> Option<&'static str> {
        if device == self.device {
            return Some("It is used already.");
        }
        let offer = self.devices.iter().find(|offer| offer.device == device);
        let is_busy = self.has_asked(|command| match command {
            Command::Long(_) | Command::Short(_) => true,
            Command::Aside(_) | Command::Disk(_) => false,
        });
        match offer {
            None => Some("The devices are still being asked."),
            Some(offer) => offer.why_not().or_else(|| {
                is_busy.then_some("Something is being computed. Stop it first, or wait until it has ended.")
            }),
        }
    }

    pub(super) fn use_device(&mut self, device: DeviceName) -> Vec<Effect> {
        vec![self.send(Long::UseDevice { device })]
    }

    pub(super) fn on_devices(&mut self, devices: Vec<DeviceOffer>) {
        for offer in &devices {
            if let Some(Absent::NoAnswer(why)) = &offer.absent {
                self.log.push(format!("{} does not answer: {why}", offer.device.words()));
            }
        }
        self.devices = devices;
    }

    /// Jobs are done elsewhere now: what was measured there is of no use here.
    pub(super) fn on_uses_device(&mut self, device: DeviceName, threads: usize) -> Vec<Effect> {
        (self.device, self.threads) = (device, threads);
        self.remembered.device = device;
        self.keep_memory();
        self.calibrations.clear();
        self.status = format!("Computing on {}", self.device_words());
        self.ask_about_backbone()
    }

    /// The device stays what it was, for the next start, too.
    pub(super) fn on_device_refused(&mut self) {
        if self.remembered.device != self.device {
            self.remembered.device = self.device;
            self.keep_memory();
        }
    }
}
