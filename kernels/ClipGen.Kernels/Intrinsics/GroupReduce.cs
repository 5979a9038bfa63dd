using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>Sums and maxima over the threads of a group, in one order whatever the timing. Every thread of the group calls, and every thread gets the result.</summary>
internal static class GroupReduce
{
    /// <summary>Threads of a warp.</summary>
    public const int WarpSize = 32;

    private const int MostWarps = 32;

    /// <summary>Sum over the group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(float value)
    {
        for (var offset = WarpSize / 2; offset > 0; offset >>= 1) value += Warp.ShuffleXor(value, offset);
        if (Group.DimX <= WarpSize) return value;
        var shared = SharedMemory.Allocate<float>(MostWarps);
        if (Warp.LaneIdx == 0) shared[Group.IdxX / WarpSize] = value;
        Group.Barrier();
        var total = 0f;
        for (var warp = 0; warp < Group.DimX / WarpSize; warp++) total += shared[warp];
        Group.Barrier();
        return total;
    }

    /// <summary>Sum over the group, in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Sum(double value)
    {
        for (var offset = WarpSize / 2; offset > 0; offset >>= 1) value += Warp.ShuffleXor(value, offset);
        if (Group.DimX <= WarpSize) return value;
        var shared = SharedMemory.Allocate<double>(MostWarps);
        if (Warp.LaneIdx == 0) shared[Group.IdxX / WarpSize] = value;
        Group.Barrier();
        var total = 0.0;
        for (var warp = 0; warp < Group.DimX / WarpSize; warp++) total += shared[warp];
        Group.Barrier();
        return total;
    }

    /// <summary>Sum over the group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Sum(int value)
    {
        for (var offset = WarpSize / 2; offset > 0; offset >>= 1) value += Warp.ShuffleXor(value, offset);
        if (Group.DimX <= WarpSize) return value;
        var shared = SharedMemory.Allocate<int>(MostWarps);
        if (Warp.LaneIdx == 0) shared[Group.IdxX / WarpSize] = value;
        Group.Barrier();
        var total = 0;
        for (var warp = 0; warp < Group.DimX / WarpSize; warp++) total += shared[warp];
        Group.Barrier();
        return total;
    }

    /// <summary>Largest value of the group; a NaN is passed over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float value)
    {
        for (var offset = WarpSize / 2; offset > 0; offset >>= 1)
        {
            var other = Warp.ShuffleXor(value, offset);
            if (other > value) value = other;
        }
        if (Group.DimX <= WarpSize) return value;
        var shared = SharedMemory.Allocate<float>(MostWarps);
        if (Warp.LaneIdx == 0) shared[Group.IdxX / WarpSize] = value;
        Group.Barrier();
        var largest = shared[0];
        for (var warp = 1; warp < Group.DimX / WarpSize; warp++)
            if (shared[warp] > largest) largest = shared[warp];
        Group.Barrier();
        return largest;
    }

    /// <summary>The place with the smallest key, the first of equals; keys are compared as they are, so NaN never wins.</summary>
    /// <param name="key">This thread's smallest key.</param>
    /// <param name="place">Its place.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PlaceOfMin(double key, int place)
    {
        for (var offset = WarpSize / 2; offset > 0; offset >>= 1)
        {
            var (otherKey, otherPlace) = (Warp.ShuffleXor(key, offset), Warp.ShuffleXor(place, offset));
            if (!(otherKey < key || otherKey == key && otherPlace < place)) continue;
            key = otherKey;
            place = otherPlace;
        }
        if (Group.DimX <= WarpSize) return place;
        var keys = SharedMemory.Allocate<double>(MostWarps);
        var places = SharedMemory.Allocate<int>(MostWarps);
        if (Warp.LaneIdx == 0)
        {
            keys[Group.IdxX / WarpSize] = key;
            places[Group.IdxX / WarpSize] = place;
        }
        Group.Barrier();
        key = keys[0];
        place = places[0];
        for (var warp = 1; warp < Group.DimX / WarpSize; warp++)
            if (keys[warp] < key || keys[warp] == key && places[warp] < place)
            {
                key = keys[warp];
                place = places[warp];
            }
        Group.Barrier();
        return place;
    }
}
