extension Userland {
  /// Makes the kernel crash, once it has said where the code is that will.
  static let crash = #"""
    for symbol in sysrq_handle_crash __crash_kexec; do
      busybox grep -A 1 " $symbol\$" /proc/kallsyms | busybox sed "s/^/lab: $symbol /"
    done
    echo c >/proc/sysrq-trigger
    """#

  /// What a crash kernel's userland does: looks at /proc/vmcore with makedumpfile, and follows each
  /// CPU's frame pointers from the registers of its note through the dead kernel's page tables (of
  /// four levels, pages of 4 KiB). Says what `CoreDump` reads.
  static let examination = #"""
    echo "lab: vmcore $(busybox stat -c %s /proc/vmcore)"
    busybox mkdir -p tmp
    lib/ld-linux-aarch64.so.1 --library-path lib bin/makedumpfile --dump-dmesg /proc/vmcore dmesg
    busybox grep -E 'Kernel panic|handle_sysrq' dmesg | busybox sed 's/^/lab: dmesg /'

    # word OFFSET: the 64-bit word there.
    word() {
      set -- $(busybox dd if=/proc/vmcore bs=8 skip=$(($1 / 8)) count=1 2>/dev/null |
        busybox hexdump -v -e '2/4 "%08x "')
      value=$((0x$2$1))
    }
    # half OFFSET: the 32-bit word there.
    half() {
      value=$((0x$(busybox dd if=/proc/vmcore bs=4 skip=$(($1 / 4)) count=1 2>/dev/null |
        busybox hexdump -v -e '1/4 "%08x"')))
    }
    # double OFFSET: a 64-bit word at a multiple of 4.
    double() {
      half $1
      low=$value
      half $(($1 + 4))
      value=$((value << 32 | low))
    }
    # physical ADDRESS: its offset in the file.
    physical() {
      for load in $loads; do
        set -- $1 ${load//,/ }
        if [ $1 -ge $3 ] && [ $1 -lt $(($3 + $4)) ]; then
          value=$(($1 - $3 + $2))
          return
        fi
      done
      value=0
    }
    # virtual ADDRESS: likewise.
    virtual() {
      address=$1
      table=$root
      for shift in 39 30 21 12; do
        physical $((table + ((address >> shift) & 511) * 8))
        word $value
        table=$((value & 0xfffffffff000))
        [ $((value & 1)) -eq 1 ] || { value=0; return; }
        if [ $((value & 2)) -eq 0 ] || [ $shift -eq 12 ]; then
          mask=$(((1 << shift) - 1))
          physical $((table & ~mask | address & mask))
          return
        fi
      done
    }

    half 56
    count=$((value & 0xffff))
    loads=
    entry=64
    while [ $count -gt 0 ]; do
      half $entry
      type=$value
      word $((entry + 8)); offset=$value
      word $((entry + 24)); start=$value
      word $((entry + 32)); size=$value
      [ $type -ne 4 ] || notes=$offset
      [ $type -ne 1 ] || loads="$loads $offset,$start,$size"
      entry=$((entry + 56))
      count=$((count - 1))
    done
    busybox dd if=/proc/vmcore bs=4096 count=8 2>/dev/null | busybox strings >info
    number() { value=$(($(busybox sed -n "s/^$1=//p" info | busybox head -n 1))); }
    number 'NUMBER(kimage_voffset)'; shifted=$value
    root=$((0x$(busybox sed -n 's/^SYMBOL(swapper_pg_dir)=//p' info | busybox head -n 1) - shifted))

    # A CPU's note: sizes and type, "CORE", then struct elf_prstatus, whose registers begin at 112.
    while half $notes; [ $value -eq 5 ]; do
      registers=$((notes + 20 + 112))
      double $((registers + 256)); line=$(printf %x $value)
      double $((registers + 232)); frame=$value
      for number in 1 2 3 4 5 6; do
        virtual $frame
        [ $value -ne 0 ] || break
        record=$value
        word $record; frame=$value
        word $((record + 8)); line="$line $(printf %x $value)"
      done
      echo "lab: registers $line"
      half $((notes + 4))
      notes=$((notes + 20 + ((value + 3) & ~3)))
    done
    """#
}
