/// A machine as QEMU's `virt` describes itself, with what real boards have besides: devices behind
/// a bus that translates, reserved memory, what a boot program leaves in /chosen.
let sampleMachine = """
  /dts-v1/;
  /memreserve/ 0x48000000 0x200000;
  /memreserve/ 0x4a000000 0x10000;
  / {
    interrupt-parent = <0x8002>;
    #size-cells = <2>;
    #address-cells = <2>;
    compatible = "linux,dummy-virt";
    model = "linux,dummy-virt";
    aliases { serial0 = "/pl011@9000000"; bus = "/soc@80000000"; };
    psci {
      migrate = <0xc4000005>;
      cpu_on = <0xc4000003>;
      method = "smc";
      compatible = "arm,psci-1.0", "arm,psci-0.2", "arm,psci";
    };
    memory@40000000 { reg = <0x0 0x40000000 0x0 0x80000000>; device_type = "memory"; };
    memory@880000000 {
      reg = <0x8 0x80000000 0x0 0x40000000 0x9 0x0 0x1 0x0>;
      device_type = "memory";
    };
    memory@f00000000 {
      reg = <0xf 0x0 0x1 0x0>; device_type = "memory"; status = "disabled";
    };
    reserved-memory {
      #address-cells = <2>; #size-cells = <2>; ranges;
      secure@50000000 { reg = <0x0 0x50000000 0x0 0x100000>; no-map; };
      shared@51000000 { reg = <0x0 0x51000000 0x0 0x200000>; };
      pool { size = <0x0 0x1000000>; reusable; };
    };
    gic: intc@8000000 {
      phandle = <0x8002>;
      reg = <0x0 0x8000000 0x0 0x10000 0x0 0x80a0000 0x0 0xf60000>;
      compatible = "arm,gic-v3";
      interrupt-controller;
      #interrupt-cells = <3>;
    };
    timer {
      interrupts = <1 13 4>, <1 14 4>, <1 11 4>, <1 10 4>;
      always-on;
      compatible = "arm,armv8-timer", "arm,armv7-timer";
    };
    pl011@9000000 {
      clock-names = "uartclk", "apb_pclk";
      interrupts = <0 1 4>;
      reg = <0x0 0x9000000 0x0 0x1000>;
      compatible = "arm,pl011", "arm,primecell";
    };
    soc@80000000 {
      #address-cells = <1>; #size-cells = <1>;
      compatible = "simple-bus";
      ranges = <0x0 0x0 0x80000000 0x1000000>, <0x7e000000 0xf 0xfe000000 0x1800000>;
      serial@7e215040 {
        compatible = "ns16550a"; reg = <0x7e215040 0x100>; reg-shift = <2>; reg-io-width = <4>;
      };
      serial@7e215140 { compatible = "brcm,bcm2835-aux-uart"; reg = <0x7e215140 0x40>; };
      uart@1000 { compatible = "arm,sbsa-uart"; reg = <0x1000 0x1000>; };
      lost@40000000 { compatible = "arm,pl011"; reg = <0x40000000 0x1000>; };
      bridge@100000 {
        #address-cells = <1>; #size-cells = <1>;
        ranges = <0x0 0x100000 0x1000>;
        uart@0 { compatible = "snps,dw-apb-uart"; reg = <0x10 0x100>; reg-offset = <0x20>; };
      };
    };
    i2c { #address-cells = <1>; #size-cells = <0>; clock@68 { reg = <0x68>; }; };
    pcie@10000000 {
      #address-cells = <3>; #size-cells = <2>;
      device_type = "pci";
      ranges = <0x1000000 0x0 0x0 0x0 0x3eff0000 0x0 0x10000>;
      serial@1,0 { compatible = "arm,pl011"; reg = <0x800 0x0 0x0 0x0 0x100>; };
    };
    chosen {
      linux,initrd-end = <0x48123456>;
      linux,initrd-start = <0x48000000>;
      bootargs = "console=ttyAMA0 quiet";
      stdout-path = "/pl011@9000000:115200n8";
      rng-seed = <0x1 0x2 0x3 0x4>;
      kaslr-seed = <0x5 0x6>;
      linux,elfcorehdr = <0x0 0x4a000000 0x0 0x10000>;
      linux,usable-memory-range = <0x0 0x40000000 0x0 0x1000000>;
      linux,uefi-system-table = <0x0 0x12345678>;
      linux,uefi-mmap-size = <0x300>;
    };
  };
  """
