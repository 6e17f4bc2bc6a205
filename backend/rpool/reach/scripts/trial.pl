# Whether servers reach each other, before anything of Kubernetes runs on them: each listens on the
# ports that it will need, and connects to those of others meanwhile. Perl, since sh has no sockets
# and every Debian and Ubuntu has perl-base, where Python may be missing.
#
# Arguments: for how many seconds at most; a word that tells this trial from others; our name; the
# size of our interface's packets; and lists of words:
#   ports to listen on     tcp/6443
#   visits to wait for     r1u04:tcp/6443
#   visits to make         r1u05=10.0.1.5:tcp/10250, with a ! behind it where a service of that
#                          server's own is there, and nobody of the trial
# Prints facts: `used PORT BY`, `cut PEER PORT HOW`, `narrow PEER BYTES` (the largest packet that
# comes through). Ends as soon as all visits were made and all guests have been here. Ports that the
# trial of another cluster has are waited for, or asked of it if its word is the higher one: were each
# to keep what it has, both would wait to the end. BY is `rpool-trial` where it took too long: so that
# we did not have the port for half of the time. Else who has not been here is kept out.
use strict;
use warnings;
use Errno qw(EADDRINUSE ECONNREFUSED EINPROGRESS ETIMEDOUT);
use Fcntl;
use POSIX ();
use Socket;

my ($seconds, $word, $name, $mtu, $listen, $guests, $visits) = @ARGV;
my ($IP_MTU_DISCOVER, $IP_PMTUDISC_PROBE) = (10, 3);    # may not be cut up, whatever was learned
my $HEADERS = 28;                                       # of IPv4 and UDP
my @SIZES = grep { $_ < $mtu } (8950, 1500, 1492, 1480, 1450, 1420, 1400, 1350, 1280, 576);
my $tick = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my $end = now() + $seconds;
my (%listeners, %callers, %visits, %used, %waited, $facts);
my ($asked, $aside) = (0, 0);
my ($TRIAL, $KERNEL) = ('rpool-trial', 'the kernel itself');
my %awaited = map { $_ => 1 } split ' ', $guests;
$SIG{PIPE} = 'IGNORE';
$SIG{USR1} = sub { $asked = 1 };
$0 = "$TRIAL $word";    # by which others know who has the ports: a trial, and traces.sh
if (open(my $comm, '>', '/proc/self/comm')) { syswrite $comm, $TRIAL }
$facts = '';

open_listener($_) for split ' ', $listen;
for (split ' ', $visits) {
    my ($peer, $address, $port, $served) = m{^([^=]+)=(.+):(\w+/\d+)(!?)$} or die "no visit: $_\n";
    my $packed = inet_aton($address) or die "no address: $address\n";
    my ($protocol, $number) = split '/', $port;
    $visits{"$peer $port"} = {
        peer => $peer, port => $port, udp => $protocol eq 'udp', served => $served,
        to => pack_sockaddr_in($number, $packed), next => 0, how => 'no answer', best => 0,
    };
}
while (now() < $end && (%visits || %awaited)) {
    step_aside() if $asked;
    my @again = grep { $used{$_} eq $TRIAL || $used{$_} eq $KERNEL } keys %used;
    if (now() >= $aside) { open_listener($_) for @again }
    begin($_) for grep { now() >= $_->{next} } values %visits;
    wait_a_little();
}
for my $port (grep { now() < $waited{$_} + $seconds / 2 } keys %waited) {
    $used{$port} //= $TRIAL;
}
for my $port (grep { $used{$_} ne $TRIAL || is_awaited($_) } keys %used) {
    $facts .= "used\t$port\t$used{$port}\n";
}
for my $visit (values %visits) {
    my ($peer, $port, $best) = @$visit{qw(peer port best)};
    $facts .= $best ? "narrow\t$peer\t$best\n" : "cut\t$peer\t$port\t$visit->{how}\n";
}
syswrite STDOUT, $facts;

sub now { return (POSIX::times())[0] / $tick }

sub open_listener {
    my ($port) = @_;
    my ($protocol, $number) = split '/', $port;
    my $udp = $protocol eq 'udp';
    socket(my $socket, PF_INET, $udp ? SOCK_DGRAM : SOCK_STREAM, 0) or die "no socket: $!\n";
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) unless $udp;    # what has closed is not in use
    my $to = pack_sockaddr_in($number, INADDR_ANY);
    if (!bind($socket, $to) || !$udp && !listen($socket, 128)) {
        $used{$port} = $! == EADDRINUSE ? owner($protocol, $number) : "$!";
        if    ($used{$port} eq $TRIAL)  { $waited{$port} = now() }
        elsif ($used{$port} ne $KERNEL) { delete $awaited{$_} for is_awaited($port) }
        return;
    }
    delete $used{$port};
    whole_packets($socket) if $udp;
    fcntl($socket, F_SETFL, O_NONBLOCK);
    $listeners{ fileno $socket } = { socket => $socket, port => $port, udp => $udp };
}

# For the one that asked: it has all that it needs of this server then.
sub step_aside {
    for my $its (map { delete $listeners{$_} } keys %listeners) {
        close $its->{socket};
        $waited{ $its->{port} } = now();
        $used{ $its->{port} } = $TRIAL;
    }
    ($asked, $aside) = (0, now() + 1);
    return;
}

sub is_awaited { my ($port) = @_; return grep { /:\Q$port\E$/ } keys %awaited }

sub whole_packets { setsockopt($_[0], 0, $IP_MTU_DISCOVER, pack('i', $IP_PMTUDISC_PROBE)) }

# Who has a port: a process, or nobody but the kernel (a VXLAN device, say; or it has just ended).
# Only what root has begun may pass for a trial.
sub owner {
    my ($protocol, $number) = @_;
    my ($hex, %inodes) = (sprintf('%04X', $number));
    for my $table ("/proc/net/$protocol", "/proc/net/${protocol}6") {
        open(my $lines, '<', $table) or next;
        while (<$lines>) {
            my @field = split;
            my $open = $protocol eq 'udp' || ($field[3] // '') eq '0A';
            $inodes{"socket:[$field[9]]"} = 1 if $open && ($field[1] // '') =~ /:$hex$/;
        }
    }
    for my $link (glob '/proc/[0-9]*/fd/*') {
        next unless $inodes{ readlink($link) // '' };
        my ($pid) = $link =~ m{^/proc/(\d+)/};
        open(my $comm, '<', "/proc/$pid/comm") or next;
        chomp(my $program = <$comm> // '');
        return "$program (process $pid)" if $program ne $TRIAL || !is_root_s($pid);
        ask_for_its_ports($pid);
        return $TRIAL;
    }
    return $KERNEL;
}

# Whose a process is, not with whose rights it runs: those of a setuid program anybody may have.
sub is_root_s {
    my ($pid) = @_;
    open(my $status, '<', "/proc/$pid/status") or return 0;
    return scalar grep { /^Uid:\s+0\s/ } <$status>;
}

sub ask_for_its_ports {
    my ($pid) = @_;
    open(my $line, '<', "/proc/$pid/cmdline") or return;
    my ($its) = (<$line> // '') =~ /^\Q$TRIAL\E (\w+)/;
    kill 'USR1', $pid if defined $its && $word lt $its;
    return;
}

# What has no answer yet is asked again: the other side may be a moment later than we are.
sub begin {
    my ($visit) = @_;
    return ask($visit) if $visit->{udp};
    if (!$visit->{socket}) {
        socket($visit->{socket}, PF_INET, SOCK_STREAM, 0) or die "no socket: $!\n";
        fcntl($visit->{socket}, F_SETFL, O_NONBLOCK);
        return greet($visit) if connect($visit->{socket}, $visit->{to});
        failed($visit, $!) if $! != EINPROGRESS;
    }
    return;
}

# All sizes, but first of all the one that has to come through.
sub ask {
    my ($visit) = @_;
    my @sizes = $visit->{socket} ? ($mtu, @SIZES) : ($mtu);
    if (!$visit->{socket}) {
        socket($visit->{socket}, PF_INET, SOCK_DGRAM, 0) or die "no socket: $!\n";
        whole_packets($visit->{socket});
        fcntl($visit->{socket}, F_SETFL, O_NONBLOCK);
        if (!connect($visit->{socket}, $visit->{to})) {
            close delete $visit->{socket};
            $visit->{how} = "$!";
        }
    }
    for my $size (grep { $visit->{socket} && $_ > $visit->{best} } @sizes) {
        my $head = "$word $name $visit->{port} $size $mtu ";
        send($visit->{socket}, $head . 'x' x ($size - $HEADERS - length $head), 0);
    }
    $visit->{next} = now() + 0.2;
    return;
}

# Who answers may be the trial of another cluster.
sub greet {
    my ($visit) = @_;
    return came($visit) if $visit->{served};
    syswrite $visit->{socket}, "$word $name $visit->{port}\n";
    $visit->{greeted} = 1;
    return;
}

sub answered {
    my ($visit) = @_;
    my $length = sysread $visit->{socket}, my $said, 256;
    return came($visit) if $length && ($said eq "$TRIAL $word\n" || $said !~ /^\Q$TRIAL\E /);
    return again($visit);
}

sub came {
    my ($visit) = @_;
    close $visit->{socket};
    delete $visits{"$visit->{peer} $visit->{port}"};
    return;
}

# A service of the other's own that is down is not our concern: the way to it is open.
sub failed {
    my ($visit, $error) = @_;
    return came($visit) if $visit->{served} && $error == ECONNREFUSED;
    $visit->{how} = $error == ETIMEDOUT ? 'no answer' : "$error";
    return again($visit);
}

sub again {
    my ($visit) = @_;
    close delete $visit->{socket};
    $visit->{greeted} = 0;
    $visit->{next} = now() + 0.1;
    return;
}

sub wait_a_little {
    my ($read, $write) = ('', '');
    vec($read, $_, 1) = 1 for keys %listeners, keys %callers;
    for my $visit (grep { $_->{socket} } values %visits) {
        if ($visit->{udp} || $visit->{greeted}) { vec($read, fileno $visit->{socket}, 1) = 1 }
        else { vec($write, fileno $visit->{socket}, 1) = 1 }
    }
    return if select($read, $write, undef, 0.1) <= 0;

    # First of all: a number that is closed below may be a new caller's, who has said nothing yet.
    for my $number (grep { vec($read, $_, 1) } keys %callers) {
        sysread $callers{$number}, my $said, 256;
        guest($said);
        syswrite $callers{$number}, "$TRIAL $word\n";
        close delete $callers{$number};
    }
    for my $visit (grep { $_->{socket} } values %visits) {
        my $number = fileno $visit->{socket};
        if ($visit->{udp}) { hear($visit) if vec($read, $number, 1) }
        elsif ($visit->{greeted}) { answered($visit) if vec($read, $number, 1) }
        elsif (vec($write, $number, 1)) {
            my $error = unpack 'i', getsockopt($visit->{socket}, SOL_SOCKET, SO_ERROR);
            local $! = $error;
            if ($error) { failed($visit, $!) } else { greet($visit) }
        }
    }
    for my $listener (grep { vec($read, fileno $_->{socket}, 1) } values %listeners) {
        if ($listener->{udp}) { echo($listener) }
        elsif (accept(my $caller, $listener->{socket})) {
            fcntl($caller, F_SETFL, O_NONBLOCK);
            $callers{ fileno $caller } = $caller;
        }
    }
    return;
}

sub guest {
    my ($said) = @_;
    my ($its, $guest, $port) = split ' ', $said // '';
    delete $awaited{"$guest:$port"} if defined $port && $its eq $word;
    return;
}

# Sent back whole, so that both ways are seen to be wide enough.
sub echo {
    my ($listener) = @_;
    while (defined(my $from = recv $listener->{socket}, my $said, 65536, 0)) {
        next if index($said, "$word ") != 0;
        send $listener->{socket}, $said, 0, $from;
        my ($size, $whole) = (split ' ', $said)[3, 4];
        guest($said) if $size == $whole;    # it goes on asking until that one comes through
    }
    return;
}

sub hear {
    my ($visit) = @_;
    while (defined recv $visit->{socket}, my $said, 65536, 0) {
        my ($its, undef, undef, $size) = split ' ', $said;
        next if !defined $size || $its ne $word || $size != length($said) + $HEADERS;
        $visit->{best} = $size if $size > $visit->{best};
        return came($visit) if $size == $mtu;
    }
    return;
}
