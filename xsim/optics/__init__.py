"""Zone plates, mirror pairs, condensers and apertures: functions evaluated on the grid they are given."""
