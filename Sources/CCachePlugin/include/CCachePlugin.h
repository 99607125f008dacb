// Nothing to import: QEMU loads the plugin by its own two symbols (qemu_plugin_version,
// qemu_plugin_install), and the lab reads the log that it writes.
